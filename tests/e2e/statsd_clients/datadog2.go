// The datadog-go of Debian 12: datadog2 PATH PREFIX
package main

import (
	"errors"
	"log"
	"net"
	"os"
	"time"

	"github.com/DataDog/datadog-go/statsd"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// The library gives up a datagram that the socket's queue does not take within a millisecond: the agent had no turn on
// a busy machine. What was not taken is sent again.
func send(one func() error) {
	var refused net.Error
	err := one()
	for tries := 0; errors.As(err, &refused) && refused.Timeout() && tries < 500; tries++ {
		time.Sleep(10 * time.Millisecond)
		err = one()
	}
	must(err)
}

func main() {
	client, err := statsd.New("unix://" + os.Args[1])
	must(err)
	client.Namespace = os.Args[2]
	client.Tags = []string{"env:test"}
	for i := 0; i < 100; i++ {
		send(func() error { return client.Incr("requests", []string{"route:/a"}, 1) })
	}
	send(func() error { return client.Gauge("level", 42.5, nil, 1) })
	send(func() error { return client.Timing("took", 250*time.Millisecond, nil, 1) })
	send(func() error { return client.Histogram("size", 7, nil, 1) })
	send(func() error { return client.Set("users", "ann", nil, 1) })
	send(func() error { return client.SimpleEvent("deployed", "version 2") })
	send(func() error { return client.SimpleServiceCheck("db", statsd.Critical) })
	must(client.Close())
}

// The datadog-go of Debian 12: datadog2 PATH PREFIX
package main

import (
	"log"
	"os"
	"time"

	"github.com/DataDog/datadog-go/statsd"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	client, err := statsd.New("unix://" + os.Args[1])
	must(err)
	client.Namespace = os.Args[2]
	client.Tags = []string{"env:test"}
	for i := 0; i < 100; i++ {
		must(client.Incr("requests", []string{"route:/a"}, 1))
	}
	must(client.Gauge("level", 42.5, nil, 1))
	must(client.Timing("took", 250*time.Millisecond, nil, 1))
	must(client.Histogram("size", 7, nil, 1))
	must(client.Set("users", "ann", nil, 1))
	must(client.SimpleEvent("deployed", "version 2"))
	must(client.SimpleServiceCheck("db", statsd.Critical))
	must(client.Close())
}

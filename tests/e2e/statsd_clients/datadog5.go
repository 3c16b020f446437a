// The datadog-go of today, which packs values and aggregates: datadog5 ADDRESS PREFIX, where ADDRESS is unix://PATH or
// unixstream://PATH
package main

import (
	"log"
	"os"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	client, err := statsd.New(os.Args[1], statsd.WithNamespace(os.Args[2]), statsd.WithTags([]string{"env:test"}),
		statsd.WithExtendedClientSideAggregation(), statsd.WithWriteTimeout(2*time.Second))
	must(err)
	for i := 0; i < 100; i++ {
		must(client.Incr("requests", []string{"route:/a"}, 1))
		must(client.Distribution("spread", float64(i%4), nil, 1))
	}
	must(client.Gauge("level", 42.5, nil, 1))
	must(client.Timing("took", 250*time.Millisecond, nil, 1))
	must(client.Histogram("size", 7, nil, 1))
	must(client.Set("users", "ann", nil, 1))
	must(client.SimpleEvent("deployed", "version 2"))
	must(client.SimpleServiceCheck("db", statsd.Critical))
	must(client.Close())
}

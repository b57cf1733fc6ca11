package redfish_test

import (
	"net/http"
	"runtime"
	"testing"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// BenchmarkFacts looks at one controller over TLS in this process: the lab's,
// and each recorded one that is there. It tells requests for each look, and the
// memory that stays with the facts of one host.
func BenchmarkFacts(b *testing.B) {
	b.Run("lab", func(b *testing.B) {
		m := lab.New(lab.Config{Username: "admin", Password: password, Serial: "S1"})
		defer m.Close()
		benchmark(b, func() (*redfish.Client, func() int) { return overTLS(b, m) })
	})
	for _, file := range recorded(b) {
		all := readTree(b, file)
		b.Run(treeName(file), func(b *testing.B) {
			benchmark(b, func() (*redfish.Client, func() int) { return overTLS(b, expanding{tree: all}) })
		})
	}
}

func overTLS(b *testing.B, h http.Handler) (*redfish.Client, func() int) {
	server := tls(h)
	b.Cleanup(server.Close)
	n := 0
	c, err := redfish.New(redfish.Config{Host: "n", URL: server.URL, Username: "admin", Password: secret.New(password),
		Fingerprint: fingerprint(server), Observe: func(redfish.Exchange) { n++ }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = c.Close(b.Context()) })
	return c, func() int { return n }
}

func benchmark(b *testing.B, open func() (*redfish.Client, func() int)) {
	c, requests := open()
	first, err := c.Facts(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	whole := requests()
	kept := make([]facts.BMC, 0, 200)
	before := heap()
	for range cap(kept) {
		one, err := c.Facts(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		kept = append(kept, one)
	}
	size := float64(heap()-before) / float64(cap(kept))
	runtime.KeepAlive(kept)
	runtime.KeepAlive(first)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if _, err := c.Facts(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(whole), "requests")
	b.ReportMetric(size, "B/host")
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

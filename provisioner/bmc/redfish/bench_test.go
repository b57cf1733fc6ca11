package redfish_test

import (
	"errors"
	"net/http"
	"runtime"
	"testing"

	lab "github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// BenchmarkFacts looks at one controller over TLS in this process: the lab's,
// and each recorded one that is there. Each look is a client's first, with its
// handshake. It tells requests for each look, and the memory that stays with
// the facts of one host.
func BenchmarkFacts(b *testing.B) {
	b.Run("lab", func(b *testing.B) {
		m := lab.New(lab.Config{Username: "admin", Password: password, Serial: "S1"})
		defer m.Close()
		benchmark(b, m)
	})
	for _, file := range recorded(b) {
		all := readTree(b, file)
		b.Run(treeName(file), func(b *testing.B) { benchmark(b, expanding{tree: all}) })
	}
}

func benchmark(b *testing.B, h http.Handler) {
	server := tls(h)
	defer server.Close()
	requests := 0
	one := func() facts.BMC {
		requests = 0
		c, err := redfish.New(redfish.Config{Host: "n", URL: server.URL, Username: "admin", Password: secret.New(password),
			Fingerprint: fingerprint(server), Observe: func(redfish.Exchange) { requests++ }})
		if err != nil {
			b.Fatal(err)
		}
		got, err := c.Facts(b.Context())
		if err := errors.Join(err, c.Close(b.Context())); err != nil {
			b.Fatal(err)
		}
		return got
	}
	kept := make([]facts.BMC, 0, 100)
	before := heap()
	for range cap(kept) {
		kept = append(kept, one())
	}
	size := float64(heap()-before) / float64(cap(kept))
	runtime.KeepAlive(kept)
	b.ReportAllocs()
	for b.Loop() {
		one()
	}
	b.ReportMetric(float64(requests), "requests")
	b.ReportMetric(size, "B/host")
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

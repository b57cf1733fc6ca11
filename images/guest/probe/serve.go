package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// Answer is what the server says.
type Answer struct {
	Host      string   `json:"host"`      // host name: the pod's name
	Node      string   `json:"node"`      // environment NODE_NAME, laid by the manifest
	Addresses []string `json:"addresses"` // all but loopback
	From      string   `json:"from"`      // address of the asking side, as the server sees it
}

func serve(ctx context.Context, args []string, errs io.Writer) int {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.SetOutput(errs)
	listen := flags.String("listen", ":8080", "address to listen on")
	life := flags.Duration("for", 0, "after this time end as a program that failed, at once; 0 is never")
	if flags.Parse(args) != nil {
		return 2
	}
	s := &http.Server{Addr: *listen, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 5 * time.Second}
	packets, err := net.ListenPacket("udp", *listen)
	if err != nil {
		fmt.Fprintf(errs, "ra2-probe: serve on %s: %v\n", *listen, err)
		return 1
	}
	go echo(packets)
	if *life > 0 { // nobody is told, and no connection is closed
		time.AfterFunc(*life, func() { os.Exit(1) })
	}
	go func() {
		<-ctx.Done()
		packets.Close()
		s.Close()
	}()
	if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintf(errs, "ra2-probe: serve on %s: %v\n", *listen, err)
		return 1
	}
	return 0
}

func answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(answerTo(r.RemoteAddr))
}

// echo answers packets until they can't be read any more.
func echo(packets net.PacketConn) {
	buf := make([]byte, 64<<10)
	for {
		_, from, err := packets.ReadFrom(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		if data, err := json.Marshal(answerTo(from.String())); err == nil {
			packets.WriteTo(data, from)
		}
	}
}

func answerTo(from string) Answer {
	a := Answer{Node: os.Getenv("NODE_NAME"), From: from}
	a.Host, _ = os.Hostname()
	addresses, _ := net.InterfaceAddrs()
	for _, address := range addresses {
		if ip, ok := address.(*net.IPNet); ok && ip.IP.IsGlobalUnicast() {
			a.Addresses = append(a.Addresses, ip.IP.String())
		}
	}
	return a
}

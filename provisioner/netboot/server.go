package netboot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4/server4"
)

// A Mode says what the DHCP part does.
type Mode string

// The modes. Authoritative mode beside another DHCP server makes addresses a
// matter of luck; see Sniff.
const (
	Authoritative Mode = "authoritative" // gives reserved addresses and boot files
	Proxy         Mode = "proxy"         // gives boot files, beside a server that gives addresses
	Off           Mode = "off"           // no DHCP: hosts boot by virtual media with static addresses
)

// Ports of a Server.
type Ports struct{ DHCP, Proxy, TFTP, HTTP uint16 }

// A Config says where a Server answers.
type Config struct {
	Interface string       // of the provisioning network; the DHCP sockets are bound to it
	Addr      netip.Addr   // our IPv4 address there: server identifier, TFTP, HTTP
	More      []netip.Addr // further addresses to serve HTTP on, such as our IPv6 one
	Mode      Mode         // empty is Authoritative
	Ports     Ports        // zero fields: 67, 4011, 69, 8080
	Loaders   string       // directory with undionly.kpxe, snponly.efi, …
	Book      Book
	Report    func(Event) // called from several goroutines; nil drops events
}

// withDefaults returns c with the zero fields filled in.
func (c Config) withDefaults() Config {
	fill := func(p *uint16, port uint16) {
		if *p == 0 {
			*p = port
		}
	}
	fill(&c.Ports.DHCP, 67)
	fill(&c.Ports.Proxy, proxyPort)
	fill(&c.Ports.TFTP, 69)
	fill(&c.Ports.HTTP, 8080)
	if c.Mode == "" {
		c.Mode = Authoritative
	}
	return c
}

// scriptName is the last part of the script's URL.
const scriptName = "ipxe"

// bootURL returns the URL of a file of one open boot.
func (c Config) bootURL(mac MAC, name string) string {
	return c.base4() + "/boot/" + mac.Dashes() + "/" + name
}

// base4 returns "http://<address>:<port>".
func (c Config) base4() string {
	return "http://" + net.JoinHostPort(c.Addr.String(), strconv.Itoa(int(c.Ports.HTTP)))
}

// A Server answers open boots. Listen makes it, Serve runs it.
type Server struct {
	conf  Config
	watch watch
	dhcp  *net.UDPConn // nil when off
	proxy *net.UDPConn // port 4011; nil unless a proxy
	spy   *net.UDPConn // port 68; nil when it could not be had
	tftp  *net.UDPConn
	http  []net.Listener

	router *adverter // nil where there is no IPv6
}

// Listen opens all sockets, so that a port in use or a missing privilege is
// told before any host is switched on.
func Listen(c Config) (*Server, error) {
	s := &Server{conf: c.withDefaults()}
	if err := s.listen(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) listen() (err error) {
	c := s.conf
	if c.Book == nil || !c.Addr.Is4() {
		return errors.New("netboot: a Book and an IPv4 address are needed")
	}
	if c.Mode != Off {
		if s.dhcp, err = alone(c.Interface, c.Ports.DHCP); err != nil {
			return taken("DHCP", c.Ports.DHCP, err)
		}
		// The client port serves to hear other servers. It may be in use by a
		// DHCP client of this machine, and then they go unheard.
		s.spy, _ = server4.NewIPv4UDPConn(c.Interface, &net.UDPAddr{Port: 68})
	}
	s.router, _ = listenRouter(c.Interface) // without IPv6 nobody solicits
	if c.Mode == Proxy {
		if s.proxy, err = alone(c.Interface, c.Ports.Proxy); err != nil {
			return taken("proxy DHCP", c.Ports.Proxy, err)
		}
	}
	if s.tftp, err = net.ListenUDP("udp4", &net.UDPAddr{IP: c.Addr.AsSlice(), Port: int(c.Ports.TFTP)}); err != nil {
		return taken("TFTP", c.Ports.TFTP, err)
	}
	for _, a := range append([]netip.Addr{c.Addr}, c.More...) {
		l, err := net.Listen("tcp", netip.AddrPortFrom(a, c.Ports.HTTP).String())
		if err != nil {
			return taken("HTTP", c.Ports.HTTP, err)
		}
		s.http = append(s.http, l)
	}
	return nil
}

// alone opens a UDP socket that hears one interface only. It fails when
// somebody has the port: two servers that share one both answer.
func alone(iface string, port uint16) (*net.UDPConn, error) {
	bind := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if failed := raw.Control(func(fd uintptr) {
			err = syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, iface)
		}); failed != nil {
			return failed
		}
		return err
	}}
	conn, err := bind.ListenPacket(context.Background(), "udp4", fmt.Sprintf(":%d", port))
	if err != nil {
		return nil, err
	}
	return conn.(*net.UDPConn), nil
}

// taken says what to do about a port that could not be had.
func taken(what string, port uint16, err error) error {
	return fmt.Errorf("netboot: listen for %s on port %d: %w (run as root, and see with `ss -lunpt sport = :%d` who has the port)", what, port, err, port)
}

// Serve answers until ctx ends, which is no error, or until one of the sockets
// fails. It closes the sockets; a Server serves once.
func (s *Server) Serve(ctx context.Context) error {
	asked := ctx
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	run := func(work func(context.Context) error) {
		wg.Go(func() {
			if err := work(ctx); err != nil && ctx.Err() == nil {
				stop(err)
			}
		})
	}
	if s.dhcp != nil {
		run(s.serveDHCP)
	}
	if s.proxy != nil {
		run(s.serveProxy)
	}
	if s.spy != nil {
		run(s.serveSpy)
	}
	if s.router != nil {
		run(s.serveRouter)
	}
	run(s.serveTFTP)
	web := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	for _, l := range s.http {
		run(func(context.Context) error { return web.Serve(l) })
	}
	<-ctx.Done()
	_ = web.Close()
	s.close()
	wg.Wait()
	if asked.Err() != nil {
		return nil
	}
	return fmt.Errorf("netboot: %w", context.Cause(ctx))
}

// close closes every socket that is open.
func (s *Server) close() {
	for _, c := range []*net.UDPConn{s.dhcp, s.proxy, s.spy, s.tftp} {
		if c != nil {
			_ = c.Close()
		}
	}
	if s.router != nil {
		_ = s.router.conn.Close()
	}
	for _, l := range s.http {
		_ = l.Close()
	}
}

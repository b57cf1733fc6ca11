package lab

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/container"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/network"
	"github.com/ra2-deploy/ra2-deploy/e2e/lab/qemu"
)

// Bridges of a lab.
const (
	provBridge = "prov"
	oobBridge  = "oob"
)

// Files of a lab.
const (
	InventoryFile = "inventory.yaml"
	labFile       = "lab.yaml"
	passwordFile  = "bmc-password"
	pidFile       = "lab.pid"
	logFile       = "lab.log"
	recordDir     = "inventory.ra2" // made by ra2-deploy, beside the inventory
)

func filepathOf(dir string) string { return filepath.Join(dir, labFile) }

// daemon is one running lab.
type daemon struct {
	file  File
	dir   string
	log   *slog.Logger
	racks []*rack
	stop  context.CancelFunc
}

// rack is one machine with its controller.
type rack struct {
	server
	bmc     *bmc.Controller
	console *container.Console
	close   []func() error
	web     *http.Server
	print   string // fingerprint of the certificate

	mu    sync.Mutex
	stage string
	since time.Time
}

// Serve keeps the lab of a directory until ctx ends or it is told to stop. It
// runs inside of the lab's network namespace: Up starts it there.
func Serve(ctx context.Context, dir string) error {
	f, err := Read(filepathOf(dir))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := &daemon{file: f, dir: dir, log: slog.New(slog.NewTextHandler(os.Stderr, nil)), stop: stop}
	if err := os.WriteFile(filepath.Join(dir, pidFile), fmt.Appendln(nil, os.Getpid()), 0o644); err != nil {
		return err
	}
	defer d.close()
	if err := d.begin(); err != nil {
		return err
	}
	control, err := d.listen()
	if err != nil {
		return err
	}
	d.log.Info("lab is up", "machines", len(d.racks))
	<-ctx.Done()
	d.log.Info("lab ends")
	return errors.Join(control.Close(), os.Remove(filepath.Join(dir, pidFile)))
}

// begin makes networks, machines and controllers.
func (d *daemon) begin() error {
	if err := d.networks(); err != nil {
		return err
	}
	d.host()
	password, err := os.ReadFile(filepath.Join(d.dir, passwordFile))
	if err != nil {
		return err
	}
	all, err := d.file.servers(d.dir)
	if err != nil {
		return err
	}
	prints := map[string]string{}
	for _, s := range all {
		r, err := d.rack(s, string(password))
		if err != nil {
			return fmt.Errorf("machine %s: %w", s.Name, err)
		}
		d.racks = append(d.racks, r)
		prints[s.Name] = r.print
	}
	return d.file.writeInventory(d.dir, all, prints)
}

func (d *daemon) networks() error {
	var prov []netip.Prefix
	for _, cidr := range d.file.Spec.Networks.Provisioning {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return err
		}
		prov = append(prov, p)
	}
	oob, err := netip.ParsePrefix(d.file.Spec.Networks.OOB)
	if err != nil {
		return err
	}
	return errors.Join(network.Bridge(provBridge, prov...), network.Bridge(oobBridge, oob))
}

// inotifyInstances is what a site of container machines needs: all of them
// count as one user, and the kernel's default is 128.
const inotifyInstances = "8192"

// host prepares the host for container machines, which share its kernel: its
// modules and one limit. Where it can't, the machines say what is missing.
func (d *daemon) host() {
	if !slices.ContainsFunc(d.file.Spec.Machines, func(m Machine) bool { return m.Kind == KindContainer }) {
		return
	}
	const limit = "/proc/sys/fs/inotify/max_user_instances"
	if now, err := os.ReadFile(limit); err == nil && len(now) <= 4 { // three digits and a line end
		d.log.Info("raises a limit of the host for container machines", "file", limit, "value", inotifyInstances)
		if err := os.WriteFile(limit, []byte(inotifyInstances), 0); err != nil {
			d.log.Warn("inotify limit", "error", err)
		}
	}
	for _, m := range []string{"loop", "overlay", "erofs", "vxlan", "nf_tables", "nf_conntrack", "nft_chain_nat", "nft_masq", "nft_fib_inet"} {
		if _, err := os.Stat("/sys/module/" + m); err == nil {
			continue
		}
		if out, err := exec.Command("modprobe", "-q", m).CombinedOutput(); err != nil {
			d.log.Debug("module", "name", m, "error", err, "output", string(out))
		}
	}
}

// rack makes one machine, which is off, and its controller, which answers.
func (d *daemon) rack(s server, password string) (*rack, error) {
	r := &rack{server: s, stage: "off", since: time.Now()}
	log, err := os.OpenFile(s.path(consoleFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	requests, err := os.OpenFile(s.path(requestFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	r.close = append(r.close, log.Close, requests.Close)
	runner, err := d.runner(r, log)
	if err != nil {
		return nil, err
	}
	claims, err := s.claims()
	if err != nil {
		return nil, err
	}
	cfg := bmc.Config{
		Username: username, Password: password, Serial: s.serial, UUID: s.uuid, Vendor: s.Vendor, Model: s.Kind, Hardware: claims,
		Lag: 300 * time.Millisecond, POST: time.Second, Log: requests, Runner: runner, Faults: s.Faults,
	}
	if m, ok := runner.(*qemu.Machine); ok {
		if cfg.SecureBoot, err = m.SecureBoot(); err != nil {
			return nil, err
		}
	}
	if s.Firmware == "bios" {
		cfg.BootMode = bmc.ModeLegacy
	}
	r.bmc = bmc.New(cfg)
	if err := d.publish(r); err != nil {
		return r, err
	}
	return r, d.ipmi(r, password)
}

func (d *daemon) runner(r *rack, log *os.File) (bmc.Runner, error) {
	s := r.server
	if s.Kind == KindQEMU {
		size, err := ParseSize(s.Memory)
		if err != nil {
			return nil, err
		}
		m := qemu.New(qemu.Config{
			Lab: d.file.Metadata.Name, Name: s.Name, Firmware: s.Firmware, Method: s.Machine.Boot, CPUs: s.CPUs, MemoryMiB: size >> 20,
			Serial: s.serial, UUID: s.uuid, MAC: s.mac, Bridge: provBridge, Tap: fmt.Sprintf("tap%d", s.number), Dir: s.dir,
			Disks:   []qemu.Disk{{Path: s.path(diskFile), Serial: s.disk}, {Path: s.path(dataFile), Serial: s.data}},
			Console: s.path(consoleFile), Vars: s.path(varsFile), Secure: s.SecureBoot, Stage: r.setStage,
		})
		return m, nil
	}
	console, err := container.OpenConsole(log)
	if err != nil {
		return nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := container.New(container.Config{
		Lab: d.file.Metadata.Name, Name: s.Name, Method: s.Machine.Boot, Serial: s.serial, UUID: s.uuid, MAC: s.mac,
		Bridge: provBridge, Port: fmt.Sprintf("m%d", s.number), Program: program, Console: console, Stage: r.setStage,
		Disks: []container.File{{Name: "vda", Serial: s.disk, Path: s.path(diskFile)}, {Name: "vdb", Serial: s.data, Path: s.path(dataFile)}},
	})
	r.close = append([]func() error{m.Close, console.Close}, r.close...)
	return m, nil
}

// publish serves the controller by HTTPS at its own address.
func (d *daemon) publish(r *rack) error {
	link, err := netlink.LinkByName(oobBridge)
	if err != nil {
		return err
	}
	oob, err := netip.ParsePrefix(d.file.Spec.Networks.OOB)
	if err != nil {
		return err
	}
	if err := network.Address(link, netip.PrefixFrom(r.server.bmc, oob.Bits())); err != nil {
		return err
	}
	conf, print, err := r.bmc.TLS(r.server.bmc)
	if err != nil {
		return err
	}
	r.print = print
	cert, err := conf.GetCertificate(nil)
	if err != nil {
		return err
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	if err := os.WriteFile(r.path("bmc.crt"), public, 0o644); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", netip.AddrPortFrom(r.server.bmc, 443).String())
	if err != nil {
		return fmt.Errorf("BMC: %w", err)
	}
	r.web = &http.Server{
		Handler: r.bmc, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
		TLSConfig: conf,
	}
	go func() {
		if err := r.web.ServeTLS(ln, "", ""); !errors.Is(err, http.ErrServerClosed) {
			d.log.Error("BMC", "machine", r.Name, "error", err)
		}
	}()
	return nil
}

func (r *rack) setStage(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stage, r.since = s, time.Now()
}

// close switches all machines off, at once, and lets go of their disks.
func (d *daemon) close() {
	var wg sync.WaitGroup
	for _, r := range d.racks {
		wg.Go(func() {
			if r.web != nil {
				_ = r.web.Close()
			}
			r.bmc.Close()
			for _, f := range r.close {
				if err := f(); err != nil {
					d.log.Warn("close", "machine", r.Name, "error", err)
				}
			}
		})
	}
	wg.Wait()
}

package provisioner

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/agent"
	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
	"github.com/ra2-deploy/ra2-deploy/provisioner/netboot"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// bootKeys are the keys of Secure Boot that an inventory names, read. The zero
// value stands for an inventory that names none.
type bootKeys struct {
	certificate        *x509.Certificate
	signer             *secureboot.Signer // nil where the private key is elsewhere
	platform, exchange *x509.Certificate  // nil: not named
}

// readKeys reads the keys that the inventory names; paths are relative to
// beside. The private key is asked for last and may be missing: what was
// signed before can still be served.
func readKeys(c inventory.Cluster, beside string) (bootKeys, error) {
	s := c.SecureBoot
	if s == nil {
		return bootKeys{}, nil
	}
	var k bootKeys
	var errs []error
	for _, f := range []struct {
		field, name string
		to          **x509.Certificate
	}{{"certificate", s.Certificate, &k.certificate}, {"platformKey", s.PlatformKey, &k.platform}, {"exchangeKey", s.ExchangeKey, &k.exchange}} {
		if f.name == "" {
			continue
		}
		var err error
		if *f.to, err = readCertificate(f.name, beside); err != nil {
			errs = append(errs, fmt.Errorf("%w: spec.secureBoot.%s: %s: %w", ErrUsage, f.field, f.name, err))
		}
	}
	if s.Key == (secret.Ref{}) || k.certificate == nil {
		return k, errors.Join(errs...)
	}
	if err := k.readSigner(s.Key, beside); err != nil {
		errs = append(errs, fmt.Errorf("%w: spec.secureBoot.key (%s): %w", ErrUsage, s.Key, err))
	}
	return k, errors.Join(errs...)
}

// readSigner reads the private key. One that isn't here is no error.
func (k *bootKeys) readSigner(ref secret.Ref, beside string) error {
	if _, set := os.LookupEnv(ref.Env); ref.Env != "" && !set {
		return nil
	}
	text, err := Reveal(ref, beside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	key, err := secureboot.ParseKey([]byte(text.Reveal()))
	if err != nil {
		return err
	}
	signer, err := secureboot.NewSigner(k.certificate, key)
	k.signer = &signer
	return err
}

func readCertificate(name, beside string) (*x509.Certificate, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(beside, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	return secureboot.ParseCertificate(text)
}

// fingerprint names the certificate, "" for none.
func (k bootKeys) fingerprint() string {
	if k.certificate == nil {
		return ""
	}
	return secureboot.Fingerprint(k.certificate)
}

// fit refuses an image that is signed by another key than the inventory's: the
// hosts' firmware would not start it from the disk.
func (k bootKeys) fit(m images.Manifest) error {
	want := k.fingerprint()
	if m.SignedBy == want {
		return nil
	}
	return fmt.Errorf("%w: the image is signed by %s, and the certificate of spec.secureBoot is %s", ErrUsage, orNothing(m.SignedBy), orNothing(want))
}

// installerLine is the kernel line of the signed boot program. It is the same
// for all hosts: what differs stands in its table.
const installerLine = "ra2.mode=" + agent.ModeNetboot + " console=tty0 console=ttyS0,115200"

// program returns the signed boot program for this inventory: who we are and
// which host has which disk is under its signature. It is made when something
// of that has changed, which takes the private key.
func program(c inventory.Cluster, files imageFiles, url, pin string) (string, error) {
	if files.keys.certificate == nil {
		return "", nil
	}
	var hosts []agent.KernelLine
	for _, n := range c.Nodes {
		line, err := hostLine(c, n, url, pin)
		if err != nil {
			return "", err
		}
		mac, err := netboot.ParseMAC(n.Boot.MAC)
		if err != nil {
			return "", err
		}
		line.Ticket = netboot.Config{Addr: c.Provisioning.Networks[0].Addr()}.TicketURL(mac)
		hosts = append(hosts, line)
	}
	file, err := images.Installer(files.cache, files.manifest, files.keys.signer, installerLine, strings.TrimPrefix(agent.HostsFile, "/"), agent.FormatHosts(hosts))
	if errors.Is(err, images.ErrNoKey) {
		return "", noKey(c, err)
	}
	return file, err
}

// noKey says what to do where something has to be signed and the key is elsewhere.
func noKey(c inventory.Cluster, err error) error {
	return fmt.Errorf("%w: %w (%s)\nnext: name the private key in spec.secureBoot.key, or let `ra2-deploy image build` make it where the key is, from the same inventory and the directory beside it", ErrUsage, err, c.SecureBoot.Key)
}

// hostLine is what a network-booted host is told.
func hostLine(c inventory.Cluster, n inventory.Node, url, pin string) (agent.KernelLine, error) {
	mac, err := net.ParseMAC(n.Boot.MAC)
	return agent.KernelLine{
		Mode: agent.ModeInstall, Node: n.Name, Server: url, Pin: pin, MAC: mac,
		Addresses: n.Addresses, Gateways: c.Provisioning.Gateways, Disk: n.Disk.String(),
	}, err
}

// SignInstaller makes the signed boot program of an inventory's hosts and the signed
// add-ons of their classes, so that `up` can serve both without the private key.
// It returns the program's file, "" where the inventory names no keys.
func SignInstaller(c inventory.Cluster, path, cacheDir string, m images.Manifest) (string, error) {
	keys, err := readKeys(c, filepath.Dir(path))
	if err != nil || keys.certificate == nil {
		return "", err
	}
	key, err := stateOf(path).agentKey()
	if err != nil {
		return "", err
	}
	pin, err := agent.Pin(key.Public())
	if err != nil {
		return "", err
	}
	files, err := imageFiles{cache: cacheDir, manifest: m, keys: keys}.signed(c)
	if err != nil {
		return "", err
	}
	return program(c, files, agentURL(c), pin)
}

// verified refuses a machine whose firmware verifies nothing although the
// inventory wants it to: what it runs may be anybody's.
func (s *servers) verified(machine *facts.Hardware) error {
	var on *bool
	if machine != nil {
		on = machine.SecureBoot
	}
	switch {
	case s.cluster.SecureBoot == nil || on != nil && *on:
		return nil
	case on == nil:
		return errors.New("its firmware doesn't tell of Secure Boot: it did not start by UEFI")
	}
	return errors.New("its firmware says that Secure Boot is off, and the inventory has spec.secureBoot; next: switch it on in the firmware's setup, or look why the controller's switch did not take")
}

package provisioner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"github.com/ra2-deploy/ra2-deploy/inventory"
	"github.com/ra2-deploy/ra2-deploy/provisioner/bmc/redfish"
	"github.com/ra2-deploy/ra2-deploy/provisioner/report"
)

// Certificates fetches the certificates of these nodes' controllers, all at
// once. No credentials are sent. IPMI has no certificates.
func Certificates(ctx context.Context, nodes []inventory.Node) []report.Certificate {
	nodes = slices.DeleteFunc(slices.Clone(nodes), func(n inventory.Node) bool { return n.BMC.OnlyIPMI() })
	out := make([]report.Certificate, len(nodes))
	var wg sync.WaitGroup
	gate := make(chan struct{}, asked)
	for i, n := range nodes {
		wg.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			out[i] = report.Certificate{Host: n.Name, URL: n.BMC.URL, Pinned: n.BMC.Fingerprint}
			cert, err := redfish.Certificate(ctx, n.Name, n.BMC.URL)
			if err != nil {
				out[i].Err = err
				return
			}
			out[i].Fingerprint, out[i].Subject = redfish.Fingerprint(cert), cert.Subject.String()
			out[i].From, out[i].Until = cert.NotBefore, cert.NotAfter
		})
	}
	wg.Wait()
	return out
}

// Pin writes fingerprints into the inventory, by node name, and leaves every
// other byte as it is. The file is replaced whole or not at all, and keeps its
// mode and owner. It must still be as read, which is what was judged.
func Pin(path string, read []byte, pins map[string]string) error {
	real, err := filepath.EvalSymlinks(path) // a link stays a link
	if err != nil {
		return fmt.Errorf("write fingerprints: %w", err)
	}
	now, err := os.ReadFile(real)
	if err != nil {
		return fmt.Errorf("write fingerprints: %w", err)
	}
	if !bytes.Equal(now, read) {
		return fmt.Errorf("write fingerprints: %s was changed meanwhile and is left as it is; run this again", path)
	}
	next, err := inventory.Pin(path, read, pins)
	if err != nil {
		return err
	}
	return exchange(real, next)
}

// exchange puts a new file into the place of an old one.
func exchange(path string, data []byte) error {
	old, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(old.Mode().Perm()), keepOwner(f, old), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

// keepOwner gives a file the owner of another. Who isn't root owns both, or
// may not: then it is the writer's.
func keepOwner(f *os.File, like os.FileInfo) error {
	stat, ok := like.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(stat.Uid), int(stat.Gid))
}

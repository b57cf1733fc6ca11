package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

// Files of one machine.
const (
	diskFile    = "disk.raw"
	dataFile    = "data.raw"
	digestFile  = "data.sha256" // of the data disk when it was made
	consoleFile = "console.log"
	requestFile = "bmc.jsonl" // requests to the BMC
	varsFile    = "vars.fd"
)

// makeDisks makes an empty disk and a data disk with a pattern.
func (s server) makeDisks() error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	for _, name := range []string{diskFile, dataFile, consoleFile, requestFile, varsFile} {
		if err := os.RemoveAll(s.path(name)); err != nil {
			return err
		}
	}
	size, err := ParseSize(s.Disk)
	if err != nil {
		return err
	}
	disk, err := os.OpenFile(s.path(diskFile), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := disk.Truncate(size); err != nil {
		disk.Close()
		return fmt.Errorf("disk of %s: %w", s.Name, err)
	}
	if err := disk.Close(); err != nil {
		return err
	}
	return s.makeData()
}

// makeData fills the data disk from a generator that the machine's number
// seeds: the same lab always makes the same bytes.
func (s server) makeData() error {
	size, err := ParseSize(s.DataDisk)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(s.path(dataFile), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	sum := sha256.New()
	pattern := rand.NewChaCha8([32]byte{'r', 'a', '2', byte(s.number)})
	if _, err := io.CopyN(io.MultiWriter(f, sum), pattern, size); err != nil {
		f.Close()
		return fmt.Errorf("data disk of %s: %w", s.Name, err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.WriteFile(s.path(digestFile), []byte(hex.EncodeToString(sum.Sum(nil))+"\n"), 0o644)
}

// DataDisk tells of one machine's data disk whether its bytes are those it was
// made with.
func DataDisk(dir, machine string) (same bool, err error) {
	f, err := Read(filepathOf(dir))
	if err != nil {
		return false, err
	}
	all, err := f.servers(dir)
	if err != nil {
		return false, err
	}
	for _, s := range all {
		if s.Name != machine {
			continue
		}
		want, err := os.ReadFile(s.path(digestFile))
		if err != nil {
			return false, err
		}
		disk, err := os.Open(s.path(dataFile))
		if err != nil {
			return false, err
		}
		defer disk.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, disk); err != nil {
			return false, err
		}
		return hex.EncodeToString(sum.Sum(nil))+"\n" == string(want), nil
	}
	return false, fmt.Errorf("the lab in %s has no machine %q", dir, machine)
}

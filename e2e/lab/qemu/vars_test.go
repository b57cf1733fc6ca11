package qemu

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ra2-deploy/ra2-deploy/e2e/lab/bmc"
	"github.com/ra2-deploy/ra2-deploy/images/secureboot"
)

func certificate(t *testing.T) *x509.Certificate {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the site"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func secureMachine(t *testing.T) *Machine {
	t.Helper()
	c := Config{Name: "m", Firmware: "uefi", Secure: true, Vars: filepath.Join(t.TempDir(), "vars.fd")}
	if _, err := os.Stat(c.firmwareFile("VARS")); err != nil {
		t.Skip("needs OVMF: apt install ovmf")
	}
	return New(c)
}

// TestKeys: the keys of the factory are read, ours come beside them, and what
// is written is read again, also by another program.
func TestKeys(t *testing.T) {
	m, ours := secureMachine(t), certificate(t)
	was, err := m.SecureBoot()
	if err != nil {
		t.Fatal(err)
	}
	factory, err := secureboot.ReadList(was.DB)
	if err != nil || len(factory.Certificates) == 0 || len(was.PK) == 0 || !was.Enabled {
		t.Fatalf("the factory's: %+v, %v", factory, err)
	}
	next := *was
	next.DB = append(bytes.Clone(was.DB), secureboot.List(ours)...)
	next.Enabled = false
	if err := m.keys(&next); err != nil {
		t.Fatal(err)
	}
	got, err := m.SecureBoot()
	if err != nil || !bytes.Equal(got.DB, next.DB) || !bytes.Equal(got.PK, was.PK) || got.Enabled {
		t.Errorf("read back: enabled %t, %v", got.Enabled, err)
	}
	if _, err := exec.LookPath("virt-fw-vars"); err != nil {
		t.Skip("the other program is missing: apt install python3-virt-firmware")
	}
	said, err := exec.Command("virt-fw-vars", "-i", m.cfg.Vars, "--print", "--verbose").CombinedOutput()
	if err != nil || !strings.Contains(string(said), "subject CN=the site") || !strings.Contains(string(said), "dbx") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestVarsRefuses: what is no store of variables is an error, not an empty one.
func TestVarsRefuses(t *testing.T) {
	m := secureMachine(t)
	if err := m.vars(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(m.cfg.Vars)
	if err != nil {
		t.Fatal(err)
	}
	for name, flash := range map[string][]byte{
		"empty": {}, "zeros": make([]byte, 1<<16), "cut": good[:0x4000],
		"long record": append(append(bytes.Clone(good[:0x64+40]), 0xff, 0xff, 0xff, 0x7f), good[0x64+44:]...),
	} {
		if _, err := readVars(flash); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	v, err := readVars(good)
	if err != nil {
		t.Fatal(err)
	}
	v.set("huge", switchGUID, attrKept, make([]byte, 1<<20))
	if _, err := v.bytes(); err == nil {
		t.Error("more than the store holds was written")
	}
}

// A machine with Secure Boot has the firmware that keeps its keys to itself.
func TestSecureArgs(t *testing.T) {
	m := New(Config{Name: "m", Firmware: "uefi", Method: "uefi-http", Secure: true})
	m.accel = func() string { return "tcg" }
	args, err := m.args(bmc.Boot{}, "sock")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(args, " ")
	for _, want := range []string{"q35,smm=on", "OVMF_CODE_4M.secboot.fd", "driver=cfi.pflash01,property=secure,value=on"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
}

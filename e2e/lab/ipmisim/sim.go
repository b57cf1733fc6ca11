// Package ipmisim runs OpenIPMI's ipmi_sim, a real IPMI 2.0 controller, in
// front of a machine of the lab: the program that it calls for power and boot
// device is ours.
package ipmisim

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Program is what is run (Debian: openipmi).
const Program = "ipmi_sim"

// MaxPassword is the length after which ipmi_sim (2.0.33) cuts a password,
// although IPMI 2.0 knows 20 bytes.
const MaxPassword = 16

// Config is one controller.
type Config struct {
	Dir                string         // of its files; made when it isn't there
	Addr               netip.AddrPort // UDP
	Username, Password string         // the only account, an administrator
	UUID               string         // of the system
	FRU                FRU
	Control            []string // the program for "get power", "set boot pxe" and the like, see Chassis
}

// FRU is what the FRU information tells of the machine.
type FRU struct{ Maker, Model, Part, Serial, BoardSerial string }

// Sim is one running ipmi_sim.
type Sim struct {
	cmd   *exec.Cmd
	ended chan error
}

// Start writes the files of a controller and runs it. It answers when Start
// returns.
func Start(cfg Config) (*Sim, error) {
	program, err := exec.LookPath(Program)
	if err != nil {
		return nil, fmt.Errorf("IPMI controller: %w; next: apt install openipmi", err)
	}
	if len(cfg.Password) > MaxPassword {
		return nil, fmt.Errorf("IPMI controller: %s knows passwords of at most %d bytes", Program, MaxPassword)
	}
	if err := cfg.write(); err != nil {
		return nil, fmt.Errorf("IPMI controller: %w", err)
	}
	s := &Sim{
		cmd:   exec.Command(program, "-n", "-c", filepath.Join(cfg.Dir, "lan.conf"), "-f", filepath.Join(cfg.Dir, "commands"), "-s", cfg.Dir),
		ended: make(chan error, 1),
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // its end is the child's end, too
		defer runtime.UnlockOSThread()
		err := s.cmd.Start()
		started <- err
		if err == nil {
			s.ended <- s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("IPMI controller: %w", err)
	}
	if err := s.ready(cfg.Addr); err != nil {
		return nil, errors.Join(fmt.Errorf("IPMI controller: %w", err), s.Close())
	}
	return s, nil
}

// startTimeout is how long a controller may take until it answers.
const startTimeout = 10 * time.Second

// presence is an RMCP presence ping (IPMI 2.0 section 13.2.3), which every
// controller answers without a login.
const presence = "\x06\x00\xff\x06\x00\x00\x11\xbe\x80\x00\x00\x00"

// ready asks until the controller answers.
func (s *Sim) ready(addr netip.AddrPort) error {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return err
	}
	defer conn.Close()
	buf := make([]byte, 64)
	for end := time.Now().Add(startTimeout); time.Now().Before(end); {
		_, _ = conn.Write([]byte(presence))
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err = conn.Read(buf); err == nil {
			return nil
		}
		select {
		case err := <-s.ended:
			s.ended <- err
			return fmt.Errorf("%s ended before it answered (%v); it says why when it is run by hand, without -n", Program, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("%s does not answer on UDP %s after %s: %w", Program, addr, startTimeout, err)
}

// Close ends the controller. The machine goes on.
func (s *Sim) Close() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	err := <-s.ended
	s.ended <- err
	return nil
}

// PID is that of the running program.
func (s *Sim) PID() int { return s.cmd.Process.Pid }

func (c Config) write() error {
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return err
	}
	guid, err := guid(c.UUID)
	if err != nil {
		return err
	}
	fru := c.FRU.encode()
	for name, text := range map[string]string{
		"fru": string(fru),
		"lan.conf": fmt.Sprintf(`name "bmc"
set_working_mc 0x20
startlan 1
  addr %s %d
  priv_limit admin
  guid %s
endlan
chassis_control "%s"
user 1 false "" "" user 1 none
user 2 true "%s" "%s" admin 10 none
`, c.Addr.Addr(), c.Addr.Port(), guid, quote(c.Control), c.Username, c.Password),
		// Without a GUID of the LAN, ipmi_sim dies at the first login.
		// Numbers are read as in C. Device 23h, firmware 2.31, maker 12345h.
		"commands": fmt.Sprintf(`mc_setbmc 0x20
mc_add 0x20 0x23 no-device-sdrs 0x01 0x02 0x31 0x9f 0x1291 0x0f02 persist_sdr
sel_enable 0x20 1000 0x0a
mc_set_guid 0x20 %s
mc_add_fru_data 0x20 0 %d file 0 "%s"
mc_enable 0x20
`, guid, len(fru), filepath.Join(c.Dir, "fru")),
	} {
		if err := os.WriteFile(filepath.Join(c.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// quote writes a command for the shell, by which ipmi_sim runs it.
func quote(words []string) string {
	var out []string
	for _, w := range words {
		out = append(out, "'"+strings.ReplaceAll(w, "'", `'\''`)+"'")
	}
	return strings.Join(out, " ")
}

// guid is a UUID as most controllers send it: in the order of SMBIOS
// (DSP0134 section 7.2.1), which is not that of the standard.
func guid(uuid string) (string, error) {
	b, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(b) != 16 {
		return "", fmt.Errorf("%q is no UUID", uuid)
	}
	return hex.EncodeToString([]byte{b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6]}) + hex.EncodeToString(b[8:]), nil
}

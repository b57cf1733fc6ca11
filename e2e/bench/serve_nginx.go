package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// nginxConf is nginx as its own guides tune it for large files: sendfile, one
// worker for each processor, no access log, whole packets.
const nginxConf = `daemon off;
%[5]s
worker_processes auto;
pid %[1]s/pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
	access_log off;
	sendfile on;
	tcp_nopush on;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	server {
		listen 127.0.0.1:%[2]d%[3]s;
		ssl_certificate %[1]s/tls.pem;
		ssl_certificate_key %[1]s/tls.pem;
		ssl_protocols TLSv1.2 TLSv1.3;
		location = /file { alias %[4]s; }
	}
}
`

// startNginx starts the distribution's nginx on the same file.
func startNginx(ctx context.Context, mode, file string) (server, error) {
	dir, err := os.MkdirTemp("", "ra2-bench-nginx-")
	if err != nil {
		return server{}, err
	}
	s, err := nginxIn(ctx, dir, mode, file)
	if err != nil {
		return s, errors.Join(err, os.RemoveAll(dir))
	}
	stop := s.stop
	s.stop = func() error { return errors.Join(stop(), os.RemoveAll(dir)) }
	return s, nil
}

func nginxIn(ctx context.Context, dir, mode, file string) (server, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return server{}, err
	}
	_, port, err := freePorts()
	if err != nil {
		return server{}, err
	}
	scheme, ssl := "http", ""
	if mode != plain {
		scheme, ssl = "https", " ssl"
	}
	if err := selfSigned(filepath.Join(dir, "tls.pem")); err != nil {
		return server{}, err
	}
	user := "" // nginx started by somebody else than root stays who it is
	if os.Geteuid() == 0 {
		user = "user root;" // the cache is root's
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, port, ssl, file, user), 0o600); err != nil {
		return server{}, err
	}
	cmd := exec.CommandContext(ctx, nginx(), "-c", conf)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return server{}, fmt.Errorf("start nginx: %w", err)
	}
	s := server{
		name: "nginx", url: fmt.Sprintf("%s://127.0.0.1:%d/file", scheme, port),
		pids: func() ([]int, error) { return family(cmd.Process.Pid) },
		stop: func() error { return errors.Join(cmd.Process.Signal(syscall.SIGTERM), cmd.Wait()) },
	}
	if err := answers(port); err != nil {
		return s, errors.Join(err, s.stop())
	}
	return s, nil
}

// nginx is where the program lies: daemons are outside of a user's path.
func nginx() string {
	if path, err := exec.LookPath("nginx"); err == nil {
		return path
	}
	return "/usr/sbin/nginx"
}

// answers waits until somebody listens on a port.
func answers(port uint16) error {
	end := time.Now().Add(10 * time.Second)
	for {
		conn, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(end) {
			return fmt.Errorf("nginx didn't listen within 10 s: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// selfSigned writes a certificate of the same kind as the agent API has, and
// its key.
func selfSigned(path string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	return os.WriteFile(path, text, 0o600)
}

// family returns a process and its children.
func family(pid int) ([]int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil, err
	}
	all := []int{pid}
	for _, child := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(child)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// memory is what the processes of a server hold, in MB.
type memory struct{ now, most float64 }

// residents sums VmRSS and VmHWM of proc_pid_status(5).
func residents(s server) (m memory, err error) {
	pids, err := s.pids()
	if err != nil {
		return m, err
	}
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return m, err
		}
		for line := range bytes.Lines(text) {
			var kib float64
			switch _, err := fmt.Sscanf(string(line), "VmRSS: %f kB", &kib); {
			case err == nil:
				m.now += kib * 1024 / 1e6
			default:
				if _, err := fmt.Sscanf(string(line), "VmHWM: %f kB", &kib); err == nil {
					m.most += kib * 1024 / 1e6
				}
			}
		}
	}
	return m, nil
}

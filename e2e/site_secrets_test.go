package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// noSecrets collects every secret value of the site and looks for each in all
// that is kept, printed, shown or served.
func (b *bench) noSecrets(w *tap) {
	secrets := b.secrets(w)
	b.Logf("%d secret values", len(secrets))
	for _, kind := range []string{"bmc", "pki", "agent", "kubeconfig", "bootstrap", "session", "ticket", "encryption"} {
		if !slices.ContainsFunc(secrets, func(s value) bool { return s.kind == kind }) {
			b.Errorf("no secret of the kind %s was found: the test looks for too little", kind)
		}
	}
	seen := 0
	look := func(where string, text []byte) {
		seen++
		for _, s := range secrets {
			if bytes.Contains(text, []byte(s.text)) {
				b.Errorf("%s holds a secret (%s)", where, s.kind)
			}
		}
	}
	b.lookInFiles(look)
	b.lookInProcesses(look)
	files := seen
	b.lookInImage(look)
	b.Logf("looked in %d files and kernel lines, and in %d pieces of the image", files, seen-files)
}

// value is one secret.
type value struct{ kind, text string }

// secrets collects what must be found nowhere.
func (b *bench) secrets(w *tap) []value {
	b.Helper()
	var all []value
	read := func(kind, file string, values func([]byte) []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		for _, v := range values(text) {
			all = append(all, value{kind, v})
		}
	}
	read("bmc", b.dir+"/bmc-password", func(t []byte) []string { return []string{strings.TrimSpace(string(t))} })
	read("pki", b.state("secrets/pki.json"), func(t []byte) []string { return keyLines(strings.ReplaceAll(string(t), `\n`, "\n")) })
	read("agent", b.state("secrets/agent.key"), func(t []byte) []string { return keyLines(string(t)) })
	read("kubeconfig", b.state("secrets/kubeconfig"), func(t []byte) []string {
		key := readKubeconfig(b.T, t).key
		return append(keyLines(string(key)), base64.StdEncoding.EncodeToString(key))
	})
	for _, m := range machines() {
		read("session", b.root(m, "/run/ra2/node.json"), func(t []byte) []string { return tokens(t) })
	}
	// Of the key that encrypts Secrets, the form in which the API server has it.
	read("encryption", b.root("cp-a", "/etc/kubernetes/ra2/encryption.yaml"), func(t []byte) []string {
		return regexp.MustCompile(`[A-Za-z0-9+/]{43}=`).FindAllString(string(t), -1)
	})
	_, tickets := w.heard()
	for _, t := range tickets {
		all = append(all, value{"ticket", t})
	}
	for _, t := range b.bootstrapTokens() {
		all = append(all, value{"bootstrap", t})
	}
	for _, v := range all {
		if len(v.text) < 16 {
			b.Fatalf("a secret of the kind %s has %d letters: it would be found by chance", v.kind, len(v.text))
		}
	}
	return all
}

// keyLines returns the lines of private keys in PEM, as they would stand in
// any copy.
func keyLines(text string) (lines []string) {
	block := regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\n([A-Za-z0-9+/=\n]+)-----END`)
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		for _, line := range strings.Fields(m[1]) {
			if len(line) >= 40 {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// tokens returns every value of JSON that has the form of a token: 256 random
// bits as base64.
func tokens(text []byte) (found []string) {
	for _, m := range regexp.MustCompile(`"([A-Za-z0-9_-]{43})"`).FindAllSubmatch(text, -1) {
		found = append(found, string(m[1]))
	}
	return found
}

// bootstrapTokens are the secret halves of the tokens that nodes join with.
func (b *bench) bootstrapTokens() (all []string) {
	b.Helper()
	var list struct {
		Items []struct {
			Type string
			Data map[string][]byte
		}
	}
	if err := b.kube().get("/api/v1/namespaces/kube-system/secrets", &list); err != nil {
		b.Fatal(err)
	}
	for _, s := range list.Items {
		if s.Type == "bootstrap.kubernetes.io/token" {
			all = append(all, string(s.Data["token-secret"]))
		}
	}
	return all
}

// lookInFiles looks in all files of the lab: output of commands, events,
// record, consoles, logs of lab and controllers, what netboot served.
func (b *bench) lookInFiles(look func(string, []byte)) {
	b.Helper()
	err := filepath.WalkDir(filepath.Dir(b.dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch name := d.Name(); {
		case d.IsDir() && name == "secrets":
			return filepath.SkipDir
		case d.IsDir() || name == "bmc-password" || strings.HasSuffix(name, ".raw"):
			return nil // disks hold what the nodes must have
		}
		text, err := os.ReadFile(path)
		look(path, text)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
}

// lookInProcesses looks at kernel lines, and at what any process of the host
// was called with: whoever may list processes could read it.
func (b *bench) lookInProcesses(look func(string, []byte)) {
	b.Helper()
	for _, m := range machines() {
		text, err := os.ReadFile(b.root(m, "/proc/cmdline"))
		if err != nil {
			b.Fatal(err)
		}
		look("the kernel line of "+m, text)
	}
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil {
			look(f, text)
		}
	}
}

// lookInImage looks in the image that the nodes run, as it is sent and as it
// is on their disks, and in kernel and initrd.
func (b *bench) lookInImage(look func(string, []byte)) {
	b.Helper()
	var node struct{ Image string }
	text, err := os.ReadFile(b.root("worker-a", "/run/ra2/node.json"))
	if err == nil {
		err = json.Unmarshal(text, &node)
	}
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(cmp.Or(os.Getenv("RA2_CACHE"), "/var/cache/ra2-deploy"), "images", strings.TrimPrefix(node.Image, "sha256:"))
	for _, file := range []string{"image.raw.zst", "kernel", "initrd", "manifest.json"} {
		f, err := os.Open(filepath.Join(dir, file))
		if err != nil {
			b.Fatal(err)
		}
		b.pieces(file, f, look)
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			b.Fatal(err)
		}
		b.pieces(file+", unpacked", unpacked(b, f), look)
		_ = f.Close()
	}
}

// unpacked reads what zstd or gzip packed; other files are read as they are.
func unpacked(b *bench, f *os.File) io.Reader {
	b.Helper()
	r := bufio.NewReader(f)
	magic, err := r.Peek(4)
	if err != nil {
		b.Fatal(err)
	}
	switch {
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(r)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(z.Close)
		return z
	case magic[0] == 0x1f && magic[1] == 0x8b:
		z, err := gzip.NewReader(r)
		if err != nil {
			b.Fatal(err)
		}
		return z
	}
	return r
}

// pieces looks at a stream in pieces that overlap.
func (b *bench) pieces(name string, r io.Reader, look func(string, []byte)) {
	b.Helper()
	const size, overlap = 32 << 20, 4 << 10
	buf := make([]byte, size)
	have := 0
	for i := 0; ; i++ {
		n, err := io.ReadFull(r, buf[have:])
		look(fmt.Sprintf("%s (piece %d)", name, i), buf[:have+n])
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return
		}
		if err != nil {
			b.Fatalf("%s: %v", name, err)
		}
		copy(buf, buf[size-overlap:])
		have = overlap
	}
}

package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/images/command"
)

// Apt gives packages of one apt archive. Which ones there are is told by apt, which
// checks the archive's signature; each is then fetched by its path in the pool, and
// its digest is compared. It implements bundle.Source.
type Apt struct {
	Suite   string   // "trixie"; a package of its "-security" archive says that
	Mirror  string   // "http://deb.debian.org/debian": what items name as their source
	Lines   []string // of sources.list, with the keyring that must have signed each
	Install []string // packages that are wanted, with all that they need, beside the essential ones
	Alone   []string // packages that are wanted alone; one that stands for a kernel with that
	Stead   Stead    // what is asked in the place of the addresses above
	Store   Store    // where content is kept
}

// Stead is another mirror of an archive, with addresses in the place of others:
// "http://deb.debian.org/debian" to "http://mirror.site/debian".
type Stead map[string]string

// at gives the address to ask for one that is named.
func (s Stead) at(url string) string { return s.swap(url, false) }

// named gives the address to name for one that was asked.
func (s Stead) named(url string) string { return s.swap(url, true) }

func (s Stead) swap(url string, back bool) string {
	for from, to := range s {
		if back {
			from, to = to, from
		}
		if url == from {
			return to
		}
	}
	return url
}

// Resolve implements bundle.Source by the archive's state of this moment.
func (a Apt) Resolve(ctx context.Context) ([]bundle.Item, error) {
	var items []bundle.Item
	err := a.withIndex(ctx, func(x index) error {
		packages, err := x.closure(ctx, a.Install, a.Alone)
		for _, p := range packages {
			items = append(items, a.item(p))
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("resolve packages of %s: %w", a.Suite, err)
	}
	return items, nil
}

// withIndex makes an apt of this archive's own, and removes it.
func (a Apt) withIndex(ctx context.Context, use func(index) error) error {
	if missing := command.Missing([]string{"apt-get", "apt-cache"}); len(missing) > 0 {
		return fmt.Errorf("%s is not on this host: packages of apt archives are resolved by apt itself; next: do this on a Debian or Ubuntu host, or use a lock",
			strings.Join(missing, " and "))
	}
	dir, err := os.MkdirTemp("", "ra2-apt-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	x, err := newIndex(ctx, dir, a.lines())
	if err != nil {
		return err
	}
	return use(x)
}

// moment is part of the address of a mirror that keeps old states.
var moment = regexp.MustCompile(`/\d{8}T\d{6}Z(/| |$)`)

// lines gives those of sources.list with the addresses that are asked. The state
// of a moment is older than its indices say that they are good for: who names one
// wants just that.
func (a Apt) lines() []string {
	lines := make([]string, len(a.Lines))
	for n, line := range a.Lines {
		words := strings.Fields(line)
		for i := range words {
			words[i] = a.Stead.at(words[i])
		}
		lines[n] = strings.Join(words, " ")
		if moment.MatchString(lines[n]) {
			lines[n] = strings.Replace(lines[n], "[", "[check-valid-until=no ", 1)
		}
	}
	return lines
}

// item describes a package as an item of a bundle.
func (a Apt) item(p debPackage) bundle.Item {
	url, suite := a.Stead.named(p.archive), a.Suite
	if url != a.Mirror {
		suite += "-security"
	}
	return bundle.Item{
		Kind: bundle.Deb, Name: p.name, Version: p.version, Arch: p.arch,
		Source: "apt:" + url + " " + suite + " " + p.path,
		Digest: bundle.Digest("sha256:" + p.sha256), Size: p.size,
	}
}

// origin reads the source of an item: archive, suite and path.
func origin(i bundle.Item) (url, suite, path string, ok bool) {
	words := strings.Split(strings.TrimPrefix(i.Source, "apt:"), " ")
	if i.Scheme() != "apt" || len(words) != 3 {
		return "", "", "", false
	}
	return words[0], words[1], words[2], true
}

// Has implements bundle.Source: it has the packages of its suite.
func (a Apt) Has(i bundle.Item) bool {
	_, suite, _, ok := origin(i)
	return ok && i.Kind == bundle.Deb && strings.TrimSuffix(suite, "-security") == a.Suite
}

// Fetch implements bundle.Source.
func (a Apt) Fetch(ctx context.Context, i bundle.Item, to *bundle.Writer) error {
	file, err := a.File(ctx, i)
	if err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = to.AddFile(i, f)
	return err
}

// File fetches a package that has its digest, and gives its file in the store.
func (a Apt) File(ctx context.Context, i bundle.Item) (string, error) {
	url, _, path, ok := origin(i)
	if !ok {
		return "", fmt.Errorf("%s: its source %q is not apt:<archive> <suite> <path>", i, i.Source)
	}
	url = a.Stead.at(url) + "/" + strings.ReplaceAll(path, "+", "%2b") // as apt asks, for servers that take "+" for a space
	file, err := a.Store.fetch(ctx, url, i)
	if status, ok := errors.AsType[*status](err); ok && status.gone() {
		return "", &bundle.Gone{Item: i, Why: status.Error(), Next: "make the lock anew (ra2-deploy bundle lock), or name a mirror that keeps old packages, as snapshot.debian.org does (--mirror)"}
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", i, err)
	}
	return file, nil
}

// Now implements bundle.Teller by the archive's state of this moment.
func (a Apt) Now(ctx context.Context, items []bundle.Item) (map[string]string, error) {
	now := map[string]string{}
	err := a.withIndex(ctx, func(x index) error {
		for _, i := range items {
			versions, err := x.versions(ctx, i.Name)
			if err != nil {
				return err
			}
			now[i.Name] = "the mirror has no package of this name now"
			if len(versions) > 0 {
				now[i.Name] = "the mirror has " + strings.Join(versions, " and ") + " now"
			}
		}
		return nil
	})
	return now, err
}

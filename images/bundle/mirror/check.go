package mirror

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// DamagedError says that the bundle's content is not what its list says: a
// disk failed, or somebody changed a file.
type DamagedError struct {
	Item string        // what it belongs to, as people know it
	Want bundle.Digest // what the list says
	Got  string        // what was read: a digest, or why none could be
}

// Error implements error.
func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s is damaged in the bundle on the serving machine: want %s, got %s", e.Item, e.Want, e.Got)
}

// checked opens content of which every byte was compared with its digest: when
// it is read for the first time, and again when its file changed since.
type checked struct {
	dir string // of the bundle

	mu   sync.Mutex
	seen map[bundle.Digest]*sight
}

// sight is what is known of one content. Requests for it wait while it is read.
type sight struct {
	mu    sync.Mutex
	good  bool
	state state
}

func newChecked(dir string) *checked { return &checked{dir: dir, seen: map[bundle.Digest]*sight{}} }

// open opens content at its beginning; item names what it belongs to. The error
// is a DamagedError when it is not what it must be.
func (c *checked) open(d bundle.Digest, item string) (blob, error) {
	b, err := openBlob(c.dir, d)
	if errors.Is(err, fs.ErrNotExist) {
		return b, &DamagedError{item, d, "no file"}
	}
	if err != nil {
		return b, fmt.Errorf("open %s: %w", item, err)
	}
	if err := c.sight(d).check(b, d, item); err != nil {
		return blob{}, errors.Join(err, b.Close())
	}
	return b, nil
}

func (c *checked) sight(d bundle.Digest) *sight {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.seen[d]
	if s == nil {
		s = &sight{}
		c.seen[d] = s
	}
	return s
}

// check reads b through unless this very state was found good.
func (s *sight) check(b blob, d bundle.Digest, item string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good && s.state == b.state {
		return nil
	}
	s.good = false
	sum := sha256.New()
	if _, err := io.Copy(sum, b.ReadSeeker); err != nil {
		return &DamagedError{item, d, "an error: " + err.Error()}
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != d.Hex() {
		return &DamagedError{item, d, "sha256:" + got}
	}
	if _, err := b.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("read %s: %w", item, err)
	}
	s.good, s.state = true, b.state
	return nil
}

// most is how long a manifest may be; the distribution specification wants a
// registry to take 4 MiB.
const most = 4 << 20

// small reads the whole of a small content, checked each time: a manifest.
func (c *checked) small(d bundle.Digest, item string) ([]byte, error) {
	b, err := openBlob(c.dir, d)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamagedError{item, d, "no file"}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", item, err)
	}
	defer b.Close()
	text, err := io.ReadAll(io.LimitReader(b, most))
	if err != nil {
		return nil, &DamagedError{item, d, "an error: " + err.Error()}
	}
	if got := sha256.Sum256(text); hex.EncodeToString(got[:]) != d.Hex() {
		return nil, &DamagedError{item, d, "sha256:" + hex.EncodeToString(got[:])}
	}
	return text, nil
}

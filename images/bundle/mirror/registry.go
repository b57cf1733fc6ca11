package mirror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// registry is the part of the OCI distribution specification 1.1 that reads:
// end-1, end-2, end-3, end-8a and end-8b of its table of endpoints.
type registry struct {
	content *checked
	repos   map[string]repository // by whole name: registry.k8s.io/pause
}

// repository is the images of one name, by tag.
type repository map[string]bundle.Item

// newRegistry sorts the images of a bundle by repository.
func newRegistry(items []bundle.Item, c *checked) registry {
	r := registry{c, map[string]repository{}}
	for _, i := range items {
		if i.Kind != bundle.Image {
			continue
		}
		name := wholeName(strings.TrimSuffix(i.Name, ":"+i.Version))
		if r.repos[name] == nil {
			r.repos[name] = repository{}
		}
		r.repos[name][i.Version] = i
	}
	return r
}

// wholeName returns a repository's name with its registry. A name without one
// is Docker Hub's, which go-containerregistry calls index.docker.io.
func wholeName(name string) string {
	host, rest, ok := strings.Cut(name, "/")
	switch {
	case !ok:
		return "docker.io/library/" + name
	case host == "index.docker.io" || host == "registry-1.docker.io":
		return "docker.io/" + rest
	case !strings.ContainsAny(host, ".:") && host != "localhost":
		return "docker.io/" + name
	}
	return name
}

var (
	// OCI distribution specification 1.1, "Pulling manifests".
	nameForm = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	// hostForm is a registry in containerd's query.
	hostForm   = regexp.MustCompile(`^[a-zA-Z0-9.-]+(:[0-9]{1,5})?$|^\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?$`)
	digestForm = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	// endpoint is the end of a path: what is asked of a repository.
	endpoint = regexp.MustCompile(`^/v2/(.+)/(manifests|blobs|tags|referrers)/([^/]+)$`)
)

// serve answers GET and HEAD.
func (g registry) serve(x *exchange) {
	x.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	path := x.r.URL.Path
	if path == "/v2/" || path == "/v2" {
		x.answer("application/json", []byte("{}"))
		return
	}
	m := endpoint.FindStringSubmatch(path)
	if m == nil {
		x.refuse(http.StatusNotFound, "UNSUPPORTED", "this registry has no "+path)
		return
	}
	repo, ok := g.find(x, m[1])
	if !ok {
		return
	}
	switch what, ref := m[2], m[3]; {
	case what == "manifests":
		g.manifest(x, repo, ref)
	case what == "blobs":
		g.blob(x, repo, ref)
	case what == "tags" && ref == "list":
		tags(x, m[1], repo)
	default:
		// Without the referrers API clients look for a tag ("Unavailable Referrers
		// API").
		x.refuse(http.StatusNotFound, "UNSUPPORTED", "this registry has no "+path)
	}
}

// find returns the repository that a request names; else it has answered.
func (g registry) find(x *exchange, name string) (repository, bool) {
	ns := x.r.URL.Query().Get("ns")
	if !nameForm.MatchString(name) || ns != "" && !hostForm.MatchString(ns) {
		x.refuse(http.StatusBadRequest, "NAME_INVALID", fmt.Sprintf("%q is no name of a repository", strings.TrimPrefix(ns+"/"+name, "/")))
		return nil, false
	}
	if ns != "" {
		name = ns + "/" + name
	}
	repo, ok := g.repos[wholeName(name)]
	if !ok {
		x.refuse(http.StatusNotFound, "NAME_UNKNOWN", "the bundle has no image "+name)
	}
	return repo, ok
}

// manifest answers with a manifest, by tag or by digest.
func (g registry) manifest(x *exchange, repo repository, ref string) {
	item, ok := repo[ref]
	if strings.Contains(ref, ":") {
		if !x.isDigest(ref) {
			return
		}
		item, ok = repo.by(bundle.Digest(ref))
	}
	if !ok {
		x.refuse(http.StatusNotFound, "MANIFEST_UNKNOWN", fmt.Sprintf("the bundle has no %s of this image, only %s", ref, strings.Join(repo.tags(), ", ")))
		return
	}
	x.what = item.String()
	text, err := g.content.small(item.Digest, item.String())
	if err != nil {
		x.fail(err)
		return
	}
	m, err := readManifest(text)
	if err != nil {
		x.fail(fmt.Errorf("%s: %w", item, err))
		return
	}
	head := x.Header()
	head.Set("Content-Type", m.MediaType)
	head.Set("Docker-Content-Digest", string(item.Digest))
	head.Set("ETag", `"`+string(item.Digest)+`"`)
	http.ServeContent(x, x.r, "", time.Time{}, bytes.NewReader(text))
}

// isDigest reports whether a reference is a digest; else it has answered.
func (x *exchange) isDigest(ref string) bool {
	ok := digestForm.MatchString(ref)
	if !ok {
		x.refuse(http.StatusBadRequest, "DIGEST_INVALID", fmt.Sprintf("%q is not sha256: and 64 digits", ref))
	}
	return ok
}

// by returns the image with this manifest.
func (p repository) by(d bundle.Digest) (bundle.Item, bool) {
	for _, i := range p {
		if i.Digest == d {
			return i, true
		}
	}
	return bundle.Item{}, false
}

// tags returns all tags in the order of the specification.
func (p repository) tags() []string { return slices.Sorted(maps.Keys(p)) }

// blob answers with a layer or a configuration that an image of the repository has.
func (g registry) blob(x *exchange, repo repository, ref string) {
	if !x.isDigest(ref) {
		return
	}
	d := bundle.Digest(ref)
	item, err := g.holder(repo, d)
	if err != nil {
		x.fail(err)
		return
	}
	if item == "" {
		x.refuse(http.StatusNotFound, "BLOB_UNKNOWN", "no image of this name has "+ref)
		return
	}
	x.Header().Set("Docker-Content-Digest", ref)
	x.what = item
	x.send(g.content, d, item, "application/octet-stream")
}

// holder returns which part of which image a digest is; empty when no image of
// the repository has it.
func (g registry) holder(repo repository, d bundle.Digest) (string, error) {
	if i, ok := repo.by(d); ok {
		return i.String(), nil // a manifest is a blob as well
	}
	for _, tag := range repo.tags() {
		i := repo[tag]
		text, err := g.content.small(i.Digest, i.String())
		if err != nil {
			return "", err
		}
		m, err := readManifest(text)
		if err != nil {
			return "", fmt.Errorf("%s: %w", i, err)
		}
		if part := m.part(d); part != "" {
			return part + " of " + i.String(), nil
		}
	}
	return "", nil
}

// manifest is what of an image's manifest says which content is the image's.
type manifest struct {
	MediaType string       `json:"mediaType"`
	Config    descriptor   `json:"config"`
	Layers    []descriptor `json:"layers"`
}

type descriptor struct {
	Digest bundle.Digest `json:"digest"`
}

func readManifest(text []byte) (m manifest, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("read its manifest: %w", err)
	}
	m.MediaType = cmp.Or(m.MediaType, "application/vnd.oci.image.manifest.v1+json") // image-spec 1.1: SHOULD, not MUST
	return m, nil
}

// part names what of the image a digest is, empty when it is nothing.
func (m manifest) part(d bundle.Digest) string {
	switch {
	case m.Config.Digest == d:
		return "configuration"
	case slices.Contains(m.Layers, descriptor{d}):
		return "layer " + string(d)
	}
	return ""
}

// tags answers with the tags of a repository, in pages when that is asked for
// (end-8b: n, last).
func tags(x *exchange, name string, repo repository) {
	all, q := repo.tags(), x.r.URL.Query()
	if last := q.Get("last"); last != "" {
		n, found := slices.BinarySearch(all, last)
		if found {
			n++
		}
		all = all[n:]
	}
	if text := q.Get("n"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			x.refuse(http.StatusBadRequest, "UNSUPPORTED", fmt.Sprintf("n=%q is no number of tags", text))
			return
		}
		if n < len(all) {
			all = all[:n]
			if n > 0 {
				x.Header().Set("Link", nextPage(x.r.URL, n, all[n-1]))
			}
		}
	}
	x.answer("application/json", marshal(struct {
		Name string   `json:"name"`
		Tags []string `json:"tags"`
	}{name, append([]string{}, all...)}))
}

// nextPage is the RFC 8288 link to the page after last.
func nextPage(at *url.URL, n int, last string) string {
	q := at.Query()
	q.Set("n", strconv.Itoa(n))
	q.Set("last", last)
	return fmt.Sprintf("<%s?%s>; rel=\"next\"", at.EscapedPath(), q.Encode())
}

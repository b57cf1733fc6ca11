package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
	"github.com/ra2-deploy/ra2-deploy/provisioner/secret"
)

// smallBundle makes a bundle of one package, one image and one file, signed when
// a key is named. It is always the same.
func smallBundle(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "bundle DIR [KEY]")
	w, err := bundle.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer w.Close()
	_, err = w.AddFile(bundle.Item{
		Kind: bundle.Deb, Name: "libc6", Version: "2.41-12+deb13u5", Arch: "amd64", Source: "apt:http://deb.debian.org/debian trixie pool/main/g/glibc/libc6.deb",
	}, strings.NewReader(strings.Repeat("package ", 5000)))
	ts.Check(err)
	_, err = w.AddFile(bundle.Item{Kind: bundle.File, Name: "loader/snponly.efi", Source: "file:loader/snponly.efi"}, strings.NewReader("loader"))
	ts.Check(err)
	_, err = w.AddImage(bundle.Item{
		Kind: bundle.Image, Name: "registry.k8s.io/pause:3.10.2", Version: "3.10.2", Arch: "amd64", Source: "go:k8s.io/kubernetes@v1.37.2 h1:A2VDEiObzkY=",
	}, smallImage(ts))
	ts.Check(err)
	var sign func([]byte) ([]byte, error)
	if len(args) > 1 {
		text, err := os.ReadFile(ts.MkAbs(args[1]))
		ts.Check(err)
		key, err := bundle.ReadSigner(text, secret.Value{})
		ts.Check(err)
		sign = key.Sign
	}
	b, err := w.Commit(sign)
	ts.Check(err)
	ts.Setenv("BUNDLE", string(b.Digest()))
	for _, i := range b.Items() {
		ts.Setenv("BLOB_"+string(i.Kind), i.Digest.Hex())
	}
}

// smallImage is of one layer that says nothing.
func smallImage(ts *testscript.TestScript) v1.Image {
	image, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte("layer"), types.DockerLayer))
	ts.Check(err)
	config, err := image.ConfigFile()
	ts.Check(err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", "amd64"
	image, err = mutate.ConfigFile(image, config)
	ts.Check(err)
	return image
}

// serveRegistry serves a registry that has one image.
func serveRegistry(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "registry NAME:TAG")
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(s.Close)
	host := strings.TrimPrefix(s.URL, "http://")
	ts.Setenv("REGISTRY", host)
	tag, err := name.NewTag(host + "/" + args[0])
	ts.Check(err)
	ts.Check(remote.Write(tag, smallImage(ts)))
}

// serveMirror serves a directory by HTTP, as a mirror of packages.
func serveMirror(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, neg, args, 1, "mirror DIR")
	s := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(s.Close)
	ts.Setenv("MIRROR", s.URL)
}

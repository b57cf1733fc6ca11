package agent

import (
	"net/http"
	"os"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

func (s *Server) image(w http.ResponseWriter, r *http.Request, _ string) {
	digest, ok := strings.CutSuffix(r.PathValue("file"), wire.ImageSuffix)
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.file(w, r, digest, FileImage)
}

func (s *Server) bootFile(w http.ResponseWriter, r *http.Request, _ string) {
	name := r.PathValue("file")
	if name != FileKernel && name != FileInitrd {
		http.NotFound(w, r)
		return
	}
	s.file(w, r, r.PathValue("digest"), name)
}

func (s *Server) addon(w http.ResponseWriter, r *http.Request, _ string) {
	s.file(w, r, r.PathValue("digest"), FileAddon)
}

// file streams one file with ranges (RFC 9110, 14): a host whose connection
// broke goes on where it was.
func (s *Server) file(w http.ResponseWriter, r *http.Request, digest, name string) {
	if !isHex(digest) || s.cfg.File == nil {
		http.NotFound(w, r)
		return
	}
	path, err := s.cfg.File(digest, name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	f, err := os.Open(path)
	if err != nil {
		http.Error(w, "the provisioner can't open "+name+" of image "+digest, http.StatusNotFound)
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.Error(w, name+" of image "+digest+" is not a file", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("ETag", `"`+digest+"-"+name+`"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

func isHex(text string) bool {
	return len(text) == 64 && strings.Trim(text, "0123456789abcdef") == ""
}

package app

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
)

// named splits an image's name: registry and path, tag, digest.
var named = regexp.MustCompile(`^(.+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?$`)

// imageTags judges ra2.app.034. A digest is one version more surely than any tag.
func imageTags(s subject) []conform.Finding {
	return s.eachContainer("each image by a version tag, not latest, or by digest", "name the version", func(p pod, c container, n *notes) {
		m := named.FindStringSubmatch(c.Image)
		switch {
		case m == nil || c.Image == "":
			n.fails(c.path+".image", conform.Text(c.Image)+" (no image name)")
		case m[3] != "":
			n.passes(c.path+".image", c.Image)
		case m[2] == "":
			n.fails(c.path+".image", c.Image+" (no tag is latest)")
		case m[2] == "latest":
			n.fails(c.path+".image", c.Image)
		default:
			n.passes(c.path+".image", c.Image)
		}
	})
}

// gigabyte is 10^9 bytes, as everywhere in our reading of RA2.
const gigabyte = 1e9

// imageSize judges ra2.app.039 by what nodes report. Only a node that has the
// image knows, so that nothing is said of what is only written down.
func imageSize(s subject) []conform.Finding {
	most := int64(s.number("image_gb_max") * gigabyte)
	want := fmt.Sprintf("no image of more than %d bytes", most)
	return s.eachContainer(want, "build it of a smaller base, in stages", func(p pod, c container, n *notes) {
		if s.Live == nil {
			n.doubts(c.path+".image", c.Image, "the size of "+c.Image+": a node that runs it reports it, so name the namespace")
			return
		}
		image, ok := s.Live.image(c.Image)
		said := fmt.Sprintf("%s: %d bytes on %s", c.Image, image.Bytes, image.Node)
		switch {
		case !ok && s.Live.Lacks != "":
			n.doubts(c.path+".image", c.Image, "what nodes tell of their images: "+s.Live.Lacks)
		case !ok:
			n.doubts(c.path+".image", c.Image, "the size of "+c.Image+": no node reports it among its images (a kubelet reports 50 at most, nodeStatusMaxImages)")
		case image.Bytes > most:
			n.fails(c.path+".image", said)
		default:
			n.passes(c.path+".image", said)
		}
	})
}

// image finds an image by the name that a pod gives it: runtimes complete the
// names of Docker Hub, and a missing tag.
func (l Live) image(name string) (Image, bool) {
	names := []string{name}
	if first, _, cut := strings.Cut(name, "/"); !cut {
		names = append(names, "docker.io/library/"+name)
	} else if !strings.ContainsAny(first, ".:") && first != "localhost" {
		names = append(names, "docker.io/"+name)
	}
	for _, n := range names {
		for _, whole := range []string{n, n + ":latest"} {
			if i, ok := l.Images[whole]; ok {
				return i, true
			}
		}
		// With tag and digest, nodes report one name with each.
		if m := named.FindStringSubmatch(n); m != nil && m[3] != "" {
			if i, ok := l.Images[m[1]+"@"+m[3]]; ok {
				return i, true
			}
		}
	}
	return Image{}, false
}

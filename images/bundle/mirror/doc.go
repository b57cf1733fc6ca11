// Package mirror gives the content of a bundle to hosts over HTTP, read-only:
//
//	/v2/…            the container images, as an OCI registry
//	/deb/…           the Debian packages, as an apt repository
//	/rpm/…           the rpm packages, as a dnf repository
//	/file/<name>     the other files
//	/bundle.json     the list of everything
//
// Every other path is 404, and every method but GET and HEAD is 405.
//
// # What is served is what was signed
//
// Content is compared with its digest when it is read for the first time, and
// again when its file has changed since. What differs is never sent: the answer is
// 500, and the answer and the log name the item.
//
// # Names
//
// An image is found by its whole upstream name in the path
// (/v2/registry.k8s.io/pause/manifests/3.10.2), as a person asks for it, and by
// the path below that registry with the registry in the query
// (/v2/pause/manifests/3.10.2?ns=registry.k8s.io), as containerd asks a mirror
// (hosts.toml). So one server stands for any number of registries.
//
// # Trust
//
// Nothing here is secret, and nobody has to log in. Who serves it proves itself
// by TLS; the repositories have no signatures of their own (see DESIGN.md).
package mirror

// Package bundle holds all content that an install needs, addressed by digest,
// in one directory or one file.
//
// A bundle is a directory that is a valid OCI image layout, so that crane, skopeo
// and oras read its container images, and a list of everything in it:
//
//	bundle.json            every item; its sha256 is the bundle's digest
//	bundle.json.minisig    a signature of bundle.json, when somebody signed it
//	oci-layout, index.json the container images by their upstream names
//	blobs/sha256/<hex>     all content: packages, files, manifests, configs, layers
//
// bundle.json is written last, and the directory appears whole under its name or
// not at all (Create, Writer). The same items give the same bytes of every file,
// whenever and wherever they are written.
//
// Specifications: OCI image layout and image index (opencontainers/image-spec
// 1.1); the signature is minisign's.
package bundle

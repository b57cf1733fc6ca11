// Package source has the sources that bundles are filled from: apt repositories,
// container registries and local files. What is built from Go modules comes from
// package images.
package source

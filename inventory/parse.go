package inventory

import (
	"reflect"
	"time"

	"github.com/ra2-deploy/ra2-deploy/inventory/v1alpha1"
)

// Options are what Parse needs beside the file.
type Options struct {
	Now  time.Time // to tell expired waivers; zero means no waiver is expired
	Rows []string  // ids of the requirements that can be waived; none means that they aren't looked up
}

// Parse reads one inventory file, strictly: unknown and double keys, wrong
// types, wrong values and impossible topologies are refused, all at once. The
// cluster is complete and checked when there is no problem, and empty when
// there is one. name is only printed.
func Parse(name string, data []byte, opts Options) (Cluster, Problems) {
	r := newReader(name, data)
	root := r.document(data)
	if root == nil {
		return Cluster{}, r.problems.sorted()
	}
	r.marks[""] = markOf(firstToken(root).GetToken())
	var file v1alpha1.File
	r.value(root, "", reflect.ValueOf(&file).Elem(), "")
	if _, ok := entries(r.plain(root, "")); !ok {
		return Cluster{}, r.problems.sorted()
	}
	c := &converter{reader: r, now: opts.Now, rows: opts.Rows}
	cluster := c.cluster(file)
	c.check(cluster)
	if len(r.problems) > 0 {
		return Cluster{}, r.problems.sorted()
	}
	return cluster, nil
}

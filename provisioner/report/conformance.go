package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ra2-deploy/ra2-deploy/provisioner/conform"
	"github.com/ra2-deploy/ra2-deploy/provisioner/ra2"
)

// Conformance is the document that `verify -o json` prints: a cluster, judged
// by the rows of RA2. Its schema is docs/schema/conformance.schema.json.
type Conformance struct {
	Version    string            `json:"version"`           // of ra2-deploy
	Catalogue  Catalogue         `json:"catalogue"`         // of the requirements
	Cluster    string            `json:"cluster"`           // the API server's URL
	Kubernetes string            `json:"kubernetes"`        // version of the API server; empty when it didn't tell
	Began      time.Time         `json:"began"`             // when the cluster was first asked
	Ended      time.Time         `json:"ended"`             // when it was last asked; waivers are judged by this moment
	Requests   int               `json:"requests"`          // sent to the API server
	Missing    map[string]string `json:"missing,omitempty"` // parts of the snapshot that are not there, and why
	Summary    Conformities      `json:"summary"`           //
	Rows       []conform.Result  `json:"rows"`              // in the order of the catalogue; never null
	Digest     string            `json:"digest"`            // "sha256:…" of this document without digest: compact, keys sorted
}

// Catalogue names the release of RA2 that a report judges by.
type Catalogue struct {
	ID         ra2.Release `json:"id"` // as --release takes it
	Document   string      `json:"document"`
	Release    string      `json:"release"`
	Commit     string      `json:"commit"`     // of anuket-project/RA2
	Kubernetes string      `json:"kubernetes"` // version that the release requires, or newer: "1.29"
	Entries    int         `json:"entries"`
}

// Conformities counts rows.
type Conformities struct {
	Rows     int                                   `json:"rows"`     // that were judged
	Against  int                                   `json:"against"`  // rows that bind and fail or are unknown; 0 is conformant
	Verdicts map[conform.Verdict]int               `json:"verdicts"` // verdict to the number of rows that have it
	Levels   map[ra2.Level]map[conform.Verdict]int `json:"levels"`   // the same, by level
}

// NewConformance returns the report of a snapshot that was judged by the default
// release.
func NewConformance(version string, s conform.Snapshot, rows []conform.Result, requests int) (Conformance, error) {
	return NewConformanceBy(ra2.Default, version, s, rows, requests)
}

// NewConformanceBy returns the report of a snapshot that was judged by the rows of a
// release (conform.RowsOf).
func NewConformanceBy(release ra2.Release, version string, s conform.Snapshot, rows []conform.Result, requests int) (Conformance, error) {
	catalogue, err := release.Load()
	if err != nil {
		return Conformance{}, err
	}
	c := Conformance{
		Version: version, Cluster: conform.Trim(s.Cluster), Kubernetes: conform.Trim(s.Server.GitVersion), Began: s.Began, Ended: s.Ended, Requests: requests,
		Catalogue: Catalogue{release, catalogue.Source.Document, catalogue.Source.Release, catalogue.Source.Commit, catalogue.Source.Kubernetes, len(catalogue.Rows)},
		Missing:   map[string]string{}, Summary: conformities(rows), Rows: append([]conform.Result{}, rows...),
	}
	for part, why := range s.Missing {
		c.Missing[conform.Trim(string(part))] = conform.Trim(why)
	}
	c.Digest, err = c.digest()
	return c, err
}

func conformities(rows []conform.Result) Conformities {
	c := Conformities{Rows: len(rows), Verdicts: map[conform.Verdict]int{}, Levels: map[ra2.Level]map[conform.Verdict]int{}}
	for _, r := range rows {
		c.Verdicts[r.Verdict]++
		if c.Levels[r.Level] == nil {
			c.Levels[r.Level] = map[conform.Verdict]int{}
		}
		c.Levels[r.Level][r.Verdict]++
		if r.Stands() {
			c.Against++
		}
	}
	return c
}

// digest returns the digest of the report's content. It can be made again by
// hand: jq -jcS 'del(.digest)' report.json | sha256sum.
func (c Conformance) digest() (string, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return digestOf(data)
}

func digestOf(document []byte) (string, error) {
	var fields map[string]any
	dec := json.NewDecoder(bytes.NewReader(document))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil {
		return "", err
	}
	delete(fields, "digest")
	var canonical bytes.Buffer
	enc := json.NewEncoder(&canonical) // maps are written with their keys sorted
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return "", err
	}
	sum := sha256.Sum256(bytes.TrimSuffix(canonical.Bytes(), []byte("\n")))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// ErrNoReport says that a file is something else.
var ErrNoReport = errors.New("it is no report of ra2-deploy verify -o json")

// ReadConformance reads a report, and checks its content by its digest.
func ReadConformance(data []byte) (Conformance, error) {
	var c Conformance
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%w: %w", ErrNoReport, err)
	}
	if c.Digest == "" || len(c.Rows) == 0 {
		return c, ErrNoReport
	}
	is, err := digestOf(data)
	if err == nil && is != c.Digest {
		err = fmt.Errorf("its digest is %s and its content has %s: it was changed after it was made", c.Digest, is)
	}
	return c, err
}

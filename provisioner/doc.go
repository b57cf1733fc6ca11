// Package provisioner brings a cluster to what its inventory says: look,
// decide, do, look again until nothing is left.
//
// The words of the house: a host is a physical server, a node is a host as a
// member of the cluster. A fact is what was seen, a finding is a fact judged
// by a rule, a requirement is a row of RA2. A ladder is made of rungs; a step
// is one piece of work of a plan, a verb is its kind; a record is what must be
// remembered between runs. One look, plan and run is a turn. The generation is
// the digest of all that determines a node; the image is one disposable
// operating system, by digest. A mirror serves a bundle: as a registry that
// stands for others, and as repositories of packages.
package provisioner

// Package kubeadm decides how kubeadm is to be used: the configuration of each
// node in kubeadm's own types (v1beta4), the certificates that all control
// planes share, and the phases that a node runs, one by one.
//
// It is pure: it reads no clock, file or network, and time and randomness are
// arguments. Nothing it makes is believed before Validate, which is kubeadm's
// own code, had nothing to say against it.
//
// Decisions, with what was rejected:
//
//   - The CA keys are made here and delivered to the control planes as files.
//     kubeadm's upload-certs would put them into the cluster behind a key that
//     must be kept for two hours; joining later would need a living control
//     plane to upload them again.
//   - Nodes join by a discovery file that holds the CA certificate. Discovery by
//     token needs the signature of a controller that may be late.
//   - Phases, not one "kubeadm join": each is tried again and timed by itself,
//     because kubeadm gives up after two seconds on one etcd call and can't be
//     told otherwise.
//   - etcd waits longer for its peers in virtual machines than on servers, see
//     [etcdArgs].
//   - kube-proxy leaves the conntrack limits alone: they belong to the image
//     (a node's kernel settings are the image's), and kube-proxy exits where it
//     may not write them.
package kubeadm

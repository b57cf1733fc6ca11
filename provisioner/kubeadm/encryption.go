package kubeadm

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"github.com/ra2-deploy/ra2-deploy/provisioner/agent/wire"
)

// EncryptionPath is where a control plane has the key that Secrets are
// encrypted with before they go to etcd.
const EncryptionPath = Dir + "/encryption.yaml"

// encryption is the configuration of encryption at rest (CIS 1.2.27, 1.2.28; RA2
// chapter 2, sec.sys.012 and sec.gen.010): secretbox, which has no weak nonces
// (Kubernetes, "Encrypting Confidential Data at Rest"), and last what reads a
// Secret that was written before there was a key.
//
// The key is derived (HKDF, RFC 5869) from that of etcd's authority, whose holder
// can read all that is in etcd anyway: control planes share it without one more
// thing to keep. It protects what leaves a control plane without its keys:
// snapshots and backups of etcd, and members' data alone.
func (p PKI) encryption() (wire.File, error) {
	key, err := hkdf.Key(sha256.New, []byte(p.Etcd.Key.Reveal()), nil, "ra2-deploy encryption at rest 1", 32)
	if err != nil {
		return wire.File{}, fmt.Errorf("derive the key for encryption at rest: %w", err)
	}
	text := fmt.Sprintf(`apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources: [secrets]
  providers:
  - secretbox: {keys: [{name: key1, secret: %s}]}
  - identity: {}
`, base64.StdEncoding.EncodeToString(key))
	return wire.File{Path: EncryptionPath, Mode: 0o600, Data: []byte(text)}, nil
}

// controlPlaneFiles are what each control plane has before kubeadm runs.
func (p PKI) controlPlaneFiles() ([]wire.File, error) {
	encryption, err := p.encryption()
	return append(p.Files(), auditFile(), encryption), err
}

package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net"
	"syscall"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/ra2-deploy/ra2-deploy/provisioner/verify"
)

// reach adds to an error of a cluster that couldn't be asked at all what to do about
// it. Other errors are returned as they are.
func reach(err error) error {
	if !errors.Is(err, verify.ErrUnreachable) {
		return err
	}
	const anew = "get the kubeconfig anew (of a cluster of ours: ra2-deploy kubeconfig INVENTORY)"
	next := "kubectl version   (with the same kubeconfig: does it answer?)"
	switch {
	case apierrors.IsUnauthorized(err):
		next = "the server knows no such user (any more): " + anew
	case is[x509.UnknownAuthorityError](err):
		next = "the server isn't the one whose certificate authority the kubeconfig names: see its address, or " + anew
	case is[x509.HostnameError](err):
		next = "use an address that the server's certificate is made for, in the kubeconfig's cluster.server"
	case is[x509.CertificateInvalidError](err):
		next = "see the clocks of this machine and of the server; a certificate that has ended is renewed on the control plane: kubeadm certs renew all"
	case is[*net.DNSError](err):
		next = "see the server's name in the kubeconfig, and who answers for it here: getent hosts NAME"
	case errors.Is(err, syscall.ECONNREFUSED):
		next = "nothing listens there: see the server's address in the kubeconfig, and on a control plane whether kube-apiserver runs: crictl ps"
	case is[*json.SyntaxError](err):
		next = "what answers there is no API server: see the server's address in the kubeconfig"
	case errors.Is(err, context.DeadlineExceeded) || timedOut(err):
		next = "nobody answers from there: see the way to it (firewall, VPN), and the server's address in the kubeconfig"
	}
	return nextStep{err, next}
}

func is[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

func timedOut(err error) bool {
	late, ok := errors.AsType[net.Error](err)
	return ok && late.Timeout()
}

package preflight

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/ra2-deploy/ra2-deploy/provisioner/facts"
)

const dnsPort = 53

// askName asks a DNS server for the address of a name by UDP, as a resolver
// does.
func askName(ctx context.Context, to netip.AddrPort, name string, d time.Duration) facts.NameServer {
	n := facts.NameServer{Server: to.Addr()}
	q, err := nameQuestion(name, to.Addr())
	if err != nil {
		n.Err = fmt.Sprintf("ask for %q: %v", name, err)
		return n
	}
	n.Question = q.Name.String() + " " + strings.TrimPrefix(q.Type.String(), "Type")
	var id [2]byte
	err = talk(ctx, to, d, func() []byte {
		_, _ = rand.Read(id[:])
		m := dnsmessage.Message{Header: dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true}, Questions: []dnsmessage.Question{q}}
		packed, _ := m.Pack() // a name that NewName took can be packed
		return packed
	}, func(answer []byte) error {
		n.RCode, n.Addresses, err = readName(answer, binary.BigEndian.Uint16(id[:]), q)
		return err
	})
	if err != nil {
		n.RCode, n.Addresses = "", nil
		n.Err, n.Silent = failed(err, d)
	}
	return n
}

// nameQuestion asks for the family by which the server is asked; without a
// name, for the root.
func nameQuestion(host string, server netip.Addr) (dnsmessage.Question, error) {
	q := dnsmessage.Question{Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	switch {
	case host == "":
		q.Type = dnsmessage.TypeNS
	case !server.Is4():
		q.Type = dnsmessage.TypeAAAA
	}
	var err error
	q.Name, err = dnsmessage.NewName(strings.TrimSuffix(host, ".") + ".")
	return q, err
}

// readName reads the answer to a question with this ID. Names are compared
// without regard to case (RFC 4343).
func readName(raw []byte, id uint16, q dnsmessage.Question) (rcode string, addrs []netip.Addr, err error) {
	var p dnsmessage.Parser
	head, err := p.Start(raw)
	if err != nil {
		return "", nil, fmt.Errorf("the answer is no DNS message: %w", err)
	}
	if head.ID != id || !head.Response {
		return "", nil, errors.New("the answer is not to our question")
	}
	// A refusal may come without the question.
	if asked, err := p.Question(); err == nil && (asked.Type != q.Type || !strings.EqualFold(asked.Name.String(), q.Name.String())) {
		return "", nil, errors.New("the answer is to another question: " + asked.Name.String())
	}
	if head.RCode != dnsmessage.RCodeSuccess {
		return code(head.RCode), nil, nil
	}
	if err := p.SkipAllQuestions(); err != nil {
		return "", nil, fmt.Errorf("the answer's question can't be read: %w", err)
	}
	answers, err := p.AllAnswers()
	if err != nil {
		return "", nil, fmt.Errorf("the answer can't be read: %w", err)
	}
	for _, a := range answers {
		switch body := a.Body.(type) {
		case *dnsmessage.AResource:
			addrs = append(addrs, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			addrs = append(addrs, netip.AddrFrom16(body.AAAA))
		}
	}
	return code(head.RCode), addrs, nil
}

// code names a response code as the field does (RFC 1035, 4.1.1; IANA).
func code(r dnsmessage.RCode) string {
	switch r {
	case dnsmessage.RCodeSuccess:
		return "NOERROR"
	case dnsmessage.RCodeFormatError:
		return "FORMERR"
	case dnsmessage.RCodeServerFailure:
		return "SERVFAIL"
	case dnsmessage.RCodeNameError:
		return "NXDOMAIN"
	case dnsmessage.RCodeNotImplemented:
		return "NOTIMP"
	case dnsmessage.RCodeRefused:
		return "REFUSED"
	}
	return fmt.Sprintf("RCODE %d", r)
}

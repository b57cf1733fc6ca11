package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ra2-deploy/ra2-deploy/images/bundle"
)

// signing are the flags of what signs a bundle or a report.
type signing struct {
	key      string
	password reference
}

func (s *signing) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.key, "sign", "", "sign with this secret key, a file that bundle key or minisign made")
	cmd.Flags().Var(&s.password, "password", "where the password of an encrypted key is")
}

// read reads the key before anything else is done; nil when there is none.
func (s *signing) read() (*bundle.Signer, error) {
	password, err := s.password.reveal()
	switch {
	case err != nil:
		return nil, err
	case s.key == "" && !password.Empty():
		return nil, usage{errors.New("--password belongs to --sign")}
	case s.key == "":
		return nil, nil
	}
	text, err := os.ReadFile(s.key)
	if err != nil {
		return nil, usage{fmt.Errorf("--sign: %w", err)}
	}
	signer, err := bundle.ReadSigner(text, password)
	if errors.Is(err, bundle.ErrEncrypted) {
		err = fmt.Errorf("%w: say where it is by --password env:NAME or --password file:PATH", err)
	}
	if err != nil {
		return nil, usage{fmt.Errorf("--sign %s: %w", s.key, err)}
	}
	return &signer, nil
}

// signer returns what signs a bundle; nil when there is no key.
func (s *signing) signer() (func([]byte) ([]byte, error), error) {
	key, err := s.read()
	if key == nil {
		return nil, err
	}
	return key.Sign, nil
}

func bundleKeyCommand() *cobra.Command {
	var (
		password reference
		open     bool
	)
	cmd := &cobra.Command{
		Use:   "key NAME",
		Short: "Make a key that signs bundles: NAME.key, which stays secret, and NAME.pub for the sites",
		Long: `Make a key that signs bundles: NAME.key, which stays secret, and NAME.pub, which the
sites check with. Both are minisign's; a key of yours that minisign made is as good.
The secret key is encrypted with the password, which takes 1 GB of memory on purpose.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := password.reveal()
			if err != nil {
				return err
			}
			if secret.Empty() != open {
				return usage{errors.New("say where the password is by --password env:NAME or --password file:PATH, or that there shall be none by --no-password")}
			}
			private, public, err := bundle.GenerateKey(secret)
			if err != nil {
				return err
			}
			if err := writeKeys(args[0], private, public); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s.key signs: keep it secret, it can't be made again\n%s.pub is for the sites: ra2-deploy bundle verify BUNDLE --key %s.pub\n", args[0], args[0], args[0])
			return nil
		},
	}
	cmd.Flags().Var(&password, "password", "where the password is that the key is encrypted with")
	cmd.Flags().BoolVar(&open, "no-password", false, "don't encrypt the key: who can read the file can sign")
	return cmd
}

// writeKeys writes both halves of a key, neither over another.
func writeKeys(name string, private, public []byte) error {
	for _, f := range []struct {
		suffix string
		text   []byte
		mode   os.FileMode
	}{{".pub", public, 0o644}, {".key", private, 0o600}} {
		if err := writeNew(name+f.suffix, f.text, f.mode); err != nil {
			if f.suffix == ".key" {
				err = errors.Join(err, os.Remove(name+".pub")) // of a key that there isn't
			}
			return noBundle(err)
		}
	}
	return nil
}

// writeNew writes a file that isn't there yet, whole or not at all.
func writeNew(name string, text []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/medusa-deploy/medusa-deploy/internal/provenance"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// keyPair is what keygen made.
type keyPair struct {
	Private     string `json:"private"`     // path
	Public      string `json:"public"`      // path
	Fingerprint string `json:"fingerprint"` // as signatures name the key
}

func newKeygen(g *globals) *cobra.Command {
	var prefix string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "make a key pair to sign images with",
		Long: `keygen makes a key pair as cosign does: cosign.key, encrypted with a password, and cosign.pub. It never overwrites.
The password is asked for on a terminal; elsewhere it is read from COSIGN_PASSWORD, which is also where ship reads it.`,
		Example: `  medusa-deploy keygen
  COSIGN_PASSWORD=… medusa-deploy keygen --prefix keys/release`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			password, err := g.newPassword()
			if err != nil {
				return err
			}
			made, err := writeKeyPair(prefix, password)
			if err != nil {
				return exit(release.ExitUsage, err)
			}
			return show(g, made, printKeyPair)
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "cosign", "path of the files without .key and .pub")
	return cmd
}

// newPassword is the one that a new key is encrypted with.
func (g *globals) newPassword() (string, error) {
	if password, set := g.sys.LookupEnv(provenance.PasswordVariable); set {
		return password, nil
	}
	stdin, ok := g.sys.Stdin.(interface{ Fd() uintptr })
	if !ok || !term.IsTerminal(int(stdin.Fd())) {
		return "", exit(release.ExitUsage, fmt.Errorf("there is no terminal to ask for a password: set %s", provenance.PasswordVariable))
	}
	var answers [2][]byte
	for i, question := range []string{"password for the new key: ", "once more: "} {
		fmt.Fprint(g.sys.Stderr, question)
		answer, err := term.ReadPassword(int(stdin.Fd()))
		fmt.Fprintln(g.sys.Stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		answers[i] = answer
	}
	if string(answers[0]) != string(answers[1]) {
		return "", exit(release.ExitUsage, errors.New("the two passwords differ; nothing was written"))
	}
	return string(answers[0]), nil
}

// writeKeyPair makes both files, or neither.
func writeKeyPair(prefix, password string) (keyPair, error) {
	made := keyPair{Private: prefix + ".key", Public: prefix + ".pub"}
	for _, path := range []string{made.Private, made.Public} {
		if _, err := os.Lstat(path); err == nil {
			return keyPair{}, fmt.Errorf("%s exists, and is left as it is: choose another --prefix", path)
		}
	}
	private, public, err := provenance.GenerateKey(password)
	if err != nil {
		return keyPair{}, fmt.Errorf("make a key: %w", err)
	}
	if made.Fingerprint, err = provenance.Fingerprint(public); err != nil {
		return keyPair{}, err
	}
	if err := writeNew(made.Public, public, 0o644); err != nil {
		return keyPair{}, err
	}
	if err := writeNew(made.Private, private, 0o600); err != nil {
		return keyPair{}, errors.Join(err, os.Remove(made.Public))
	}
	return made, nil
}

// writeNew writes a file that must not exist yet.
func writeNew(path string, content []byte, mode fs.FileMode) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("write the key: %w", err)
	}
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(fmt.Errorf("write the key: %w", err), os.Remove(path))
	}
	return nil
}

func printKeyPair(p report.Page, k keyPair) error {
	_, err := fmt.Fprintf(p.Out, `%s is the private half, encrypted: keep it and its password out of git; CI takes it as env://NAME
%s is the public half (%s): commit it
  image:
    sign: {key: %s}
  targets:
    production:
      require_signature: {key: %s}
`, k.Private, k.Public, k.Fingerprint, k.Private, k.Public)
	return err
}

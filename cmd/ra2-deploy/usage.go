package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// strict makes every wrong call of cmd and its commands an error of usage
// that says what would be right.
func strict(cmd *cobra.Command) {
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage{fmt.Errorf("%w; `%s --help` lists the flags", err, c.CommandPath())}
	})
	for _, c := range cmd.Commands() {
		if c.HasSubCommands() && c.RunE == nil {
			c.RunE = onlyGroup
			c.Args = cobra.ArbitraryArgs
			c.DisableFlagsInUseLine = true
		} else if check := c.Args; check != nil {
			c.Args = func(c *cobra.Command, args []string) error {
				err := check(c, args)
				if err == nil || errors.As(err, new(usage)) {
					return err
				}
				return usage{fmt.Errorf("%s: it got %s; write it like: %s", c.CommandPath(), counted(args), c.UseLine())}
			}
		}
		strict(c)
	}
}

func counted(args []string) string {
	switch len(args) {
	case 0:
		return "no argument"
	case 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", len(args))
}

// onlyGroup is what a command does that only holds others.
func onlyGroup(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return usage{fmt.Errorf("%s has no command %q; it has: %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))}
}

// format is the value of a flag --output.
type format string

// The formats.
const (
	asText  format = "text"
	asJSON  format = "json"
	asJUnit format = "junit" // for CI
	asHTML  format = "html"  // one page, for people
)

// choice is the value of a flag --output, one of few formats.
type choice struct {
	*format
	of []format
}

// addFormat gives a command the flag --output: text, JSON, and more.
func addFormat(cmd *cobra.Command, more ...format) *format {
	f := asText
	c := choice{&f, append([]format{asText, asJSON}, more...)}
	cmd.Flags().VarP(c, "output", "o", c.words())
	return &f
}

// words returns the formats as a sentence has them: "text, json or html".
func (c choice) words() string {
	var words []string
	for _, f := range c.of {
		words = append(words, string(f))
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// Set implements pflag.Value.
func (c choice) Set(text string) error {
	if !slices.Contains(c.of, format(text)) {
		return errors.New("write " + c.words())
	}
	*c.format = format(text)
	return nil
}

// String implements pflag.Value.
func (c choice) String() string {
	if c.format == nil { // pflag makes an empty one to compare with
		return ""
	}
	return string(*c.format)
}

// Type implements pflag.Value.
func (choice) Type() string { return "format" }

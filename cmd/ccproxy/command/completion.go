package command

import "github.com/spf13/cobra"

// addCompletion adds cobra's commands that print scripts for shells, with the errors of all others: an unknown shell
// is a mistake, where cobra shows help and calls it a success.
func addCompletion(root *cobra.Command) {
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() != "completion" {
			continue
		}
		cmd.Args = noCommand
		cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		for _, shell := range cmd.Commands() {
			shell.Args = exactly(0)
		}
	}
}

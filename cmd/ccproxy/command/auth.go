package command

import "github.com/spf13/cobra"

func (a *app) authCommand() *cobra.Command { return group("auth", "Log in to providers, and out") }

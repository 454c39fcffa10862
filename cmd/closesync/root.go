package main

import (
	"github.com/spf13/cobra"
)

// commands lists the subcommands in the order of the help.
func commands(o *options) []*cobra.Command {
	return []*cobra.Command{
		newRunCommand(o),
		newResyncCommand(o),
		newPlanCommand(o),
		newApplyCommand(o),
		newStatusCommand(o),
		newCheckCommand(o),
		newMigrateCommand(o),
		newConflictsCommand(o),
		newErrorsCommand(o),
		newHoldsCommand(o),
		newHistoryCommand(o),
		newWhyCommand(o),
		newPauseCommand(o),
		newResumeCommand(o),
		newRecordCommand(o),
		newRequestCommand(o),
		newWebhookCommand(o),
		newConnectionCommand(o),
		newMappingCommand(o),
		newAdoptCommand(o),
		newEraseCommand(o),
		newUndoCommand(o),
		newSandboxCommand(o),
		newConfigCommand(o),
		newHealthcheckCommand(o),
		newVersionCommand(o),
	}
}

// newRoot builds the command tree. Without a subcommand it does what run does.
func newRoot(o *options) *cobra.Command {
	root := &cobra.Command{
		Use:           "closesync",
		Short:         "Keep Close and Postgres the same, in both directions",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			o.began = true
		},
	}
	root.SetIn(o.in)
	root.SetOut(o.out)
	root.SetErr(o.err)
	o.addFlags(root.PersistentFlags())
	for _, c := range commands(o) {
		root.AddCommand(c)
		if c.Name() == "run" {
			root.RunE = c.RunE
			root.Flags().AddFlagSet(c.Flags())
		}
	}
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.RunE = askedWrong
		}
	}
	addExamples(root, "")
	return root
}

// askedWrong shows the help of a command that only holds others: called by
// itself it is wrong usage.
func askedWrong(c *cobra.Command, _ []string) error {
	c.SetOut(c.ErrOrStderr())
	_ = c.Help()
	return &exitError{code: exitUsage}
}

// group makes a command that only holds others. Called by itself it is wrong
// usage, unless it has a default.
func group(use, short string, byDefault *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: askedWrong}
	if byDefault != nil {
		c.RunE = byDefault.RunE
		c.Flags().AddFlagSet(byDefault.Flags())
		c.AddCommand(byDefault)
	}
	c.AddCommand(subs...)
	return c
}

// jsonFlag adds --json, which every list has.
func (o *options) jsonFlag(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&o.json, "json", false, "print one JSON document")
	return c
}

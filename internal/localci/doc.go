// Package localci is the embedded GitHub: a bare git repository on this machine whose push runs the workflow files of the
// pushed commit, as GitHub Actions would, against local AWS. A dispatch does the same with inputs.
//
// It owns the repository, its runs and their records, the stand-ins of the actions that cannot be fetched, and the order
// in which runs take turns. It runs two programs, git and act (in act's host mode: steps are processes of this machine).
// It must not know AWS, a config file or a release: what a run gets to see of local AWS is handed to it as variables and
// secrets (Surroundings), and what a workflow's step does is between that step and the program it starts.
package localci

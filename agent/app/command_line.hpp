// The command line: one table of commands and options, from which the help, the manual and the completions are made
// too.
#pragma once

namespace midst::app {

/// Runs what the arguments ask for. @return its exit code; exit_usage for arguments that are not understood.
int run_command_line(int argc, char** argv);

}  // namespace midst::app

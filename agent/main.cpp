// midst-agent: from argv to an exit code.
#include "agent/app/command_line.hpp"

int main(int argc, char** argv) {
  return midst::app::run_command_line(argc, argv);
}

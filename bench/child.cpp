#include "child.h"

#include <evenkeel/core/error.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace evenkeel::bench {

Child::Child(std::vector<std::string> command) {
  std::signal(SIGPIPE, SIG_IGN);  // a child that has ended is told by ask()
  int down[2], up[2];
  if (pipe2(down, O_CLOEXEC) != 0 || pipe2(up, O_CLOEXEC) != 0)
    throw Error(std::string("[bench] expected pipes from the system, got ") + std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, down[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, up[1], STDOUT_FILENO);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  const int failed = posix_spawnp(&process_, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(down[0]);
  close(up[1]);
  to_ = fdopen(down[1], "w");
  from_ = fdopen(up[0], "r");
  if (failed != 0) throw Error("[bench] expected to start " + command[0] + ", got " + std::strerror(failed));
}

Child::~Child() {
  std::fclose(to_);
  std::fclose(from_);
  waitpid(process_, nullptr, 0);
}

nlohmann::json Child::ask(const nlohmann::json& request) {
  std::fprintf(to_, "%s\n", request.dump().c_str());
  std::fflush(to_);
  char* line = nullptr;
  std::size_t size = 0;
  const ssize_t length = getline(&line, &size, from_);
  const std::string answer(line, length > 0 ? static_cast<std::size_t>(length) : 0);
  std::free(line);
  if (length <= 0) throw Error("[bench] expected an answer to " + request.dump() + ", got none");
  return nlohmann::json::parse(answer);
}

}  // namespace evenkeel::bench

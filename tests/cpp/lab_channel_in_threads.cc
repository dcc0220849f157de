// One lab channel on real connections for many threads, closed while they call: what
// ThreadSanitizer has to find harmless. To be given the target of servers that end their
// connections now and then.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <thread>
#include <vector>

#include "live/lab_channel.h"

using namespace greetlab;

int main(int, char** arguments) {
  std::atomic<int> answered{0};
  std::atomic<int> ended{0};
  int asked = 0;
  for (int round = 0; round < 3; ++round) {
    ChannelOptions options;
    options.target = arguments[1];
    options.policy = {"round_robin"};
    const auto channel = open_lab_channel(std::move(options));
    const auto begun = std::chrono::steady_clock::now();
    const Interrupted closes = [&] {
      // While they call: from one of the callers' own threads, as a signal handler would.
      if (std::chrono::steady_clock::now() - begun > std::chrono::milliseconds(600))
        channel->close();
      return false;
    };
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i) {
      callers.emplace_back([&] {
        GreetLoad load;
        load.config = {.calls = 100'000, .concurrency = 8};
        const CallLog log = channel->run(load, closes);
        for (const int status : log.status) answered += status == 0;
      });
    }
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        channel->wait_ready(true, std::chrono::milliseconds(5), [] { return false; });
        channel->subchannels();
        for (const Event& event : channel->events()) channel->symbols().word(event.who);
      }
    });
    asked += 200;
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        greet::GreetingRequest request;
        request.mutable_greeting()->set_first_name("Ada");
        channel->greet(std::move(request), std::chrono::seconds(5),
                       [&](const Status&, const greet::GreetingResponse&) { ++ended; });
      }
    });
    for (std::thread& caller : callers) caller.join();
    channel->close();
  }
  std::printf("%d calls answered; %d of %d others have ended\n", answered.load(), ended.load(),
              asked);
  return answered > 0 && ended == asked ? 0 : 1;
}

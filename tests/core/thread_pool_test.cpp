// host_executor::parallel_for: every index once, exceptions, nesting, many jobs, moves.
#include "test_support/catch.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <miq/core/executor.hpp>
#include <miq/core/random.hpp>

namespace {

/// How often each index was visited.
std::vector<int> visits(const miq::host_executor& exec, std::int64_t count) {
  std::vector<std::atomic<int>> counters(static_cast<std::size_t>(count));
  exec.parallel_for(count, [&](std::int64_t i) { ++counters[static_cast<std::size_t>(i)]; });
  return {counters.begin(), counters.end()};
}

}  // namespace

TEST_CASE("parallel_for calls the body once for each index", "[core][thread_pool]") {
  const int threads = GENERATE(1, 2, 3, 7, 16);
  const std::int64_t count = GENERATE(0, 1, 2, 3, 5, 17, 1009);
  const miq::host_executor exec({.threads = threads});
  CHECK(exec.threads() == threads);
  CHECK(visits(exec, count) == std::vector<int>(static_cast<std::size_t>(count), 1));
}

TEST_CASE("parallel_for with a negative count does nothing", "[core][thread_pool]") {
  const miq::host_executor exec({.threads = GENERATE(1, 3)});
  std::atomic<int> calls{0};
  exec.parallel_for(-1, [&](std::int64_t) { ++calls; });
  CHECK(calls == 0);
}

TEST_CASE("parallel_for has returned only when all bodies have", "[core][thread_pool]") {
  const miq::host_executor exec({.threads = 4});
  std::atomic<int> running{0};
  int wrong = 0;
  for (int job = 0; job < 200; ++job) {
    exec.parallel_for(5, [&](std::int64_t i) {
      ++running;
      if (i == job % 5) std::this_thread::yield();
      --running;
    });
    if (running != 0) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("parallel_for runs bodies at the same time", "[core][thread_pool]") {
  // Each body waits for the other: this ends only if two threads work.
  const miq::host_executor exec({.threads = 2});
  std::atomic<int> arrived{0};
  exec.parallel_for(2, [&](std::int64_t) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  CHECK(arrived == 2);
}

TEST_CASE("the calling thread works too, and a single-threaded executor uses no other", "[core][thread_pool]") {
  const auto caller = std::this_thread::get_id();
  const miq::host_executor one({.threads = 1});
  std::set<std::thread::id> seen;
  one.parallel_for(100, [&](std::int64_t) { seen.insert(std::this_thread::get_id()); });
  CHECK(seen == std::set<std::thread::id>{caller});

  const miq::host_executor two({.threads = 2});
  std::atomic<int> arrived{0};
  std::mutex mutex;
  seen.clear();
  two.parallel_for(2, [&](std::int64_t) {
    {
      const std::lock_guard lock(mutex);
      seen.insert(std::this_thread::get_id());
    }
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  CHECK(seen.size() == 2);
  CHECK(seen.count(caller) == 1);
}

TEST_CASE("an exception of a body reaches the caller, and the executor goes on working", "[core][thread_pool]") {
  const int threads = GENERATE(1, 2, 5);
  const miq::host_executor exec({.threads = threads});
  const std::int64_t thrower = GENERATE(0, 1, 50, 99);
  for (int round = 0; round < 20; ++round) {
    CHECK_THROWS_AS(exec.parallel_for(100,
                                      [&](std::int64_t i) {
                                        if (i == thrower) throw std::out_of_range("index " + std::to_string(i));
                                      }),
                    std::out_of_range);
    CHECK(visits(exec, 33) == std::vector<int>(33, 1));
  }
}

TEST_CASE("of several exceptions that of the smallest index reaches the caller", "[core][thread_pool]") {
  const int threads = GENERATE(1, 2, 4);
  const miq::host_executor exec({.threads = threads});
  std::string message;
  for (int round = 0; round < 200; ++round) {
    message.clear();
    // All bodies meet before any of them throws, so that all of them throw.
    std::atomic<int> arrived{0};
    try {
      exec.parallel_for(threads, [&](std::int64_t i) {
        ++arrived;
        while (threads > 1 && arrived < threads) std::this_thread::yield();
        throw std::runtime_error(std::to_string(i));
      });
    } catch (const std::runtime_error& failure) {
      message = failure.what();
    }
    if (message != "0") break;
  }
  CHECK(message == "0");
}

TEST_CASE("indices not yet begun are skipped after an exception", "[core][thread_pool]") {
  const int threads = GENERATE(1, 2);
  const miq::host_executor exec({.threads = threads});
  std::atomic<std::int64_t> calls{0};
  constexpr std::int64_t count = std::int64_t{1} << 40;  // would not end
  CHECK_THROWS_AS(exec.parallel_for(count,
                                    [&](std::int64_t i) {
                                      ++calls;
                                      if (i == 10) throw std::runtime_error("stop");
                                    }),
                  std::runtime_error);
  CHECK(calls >= 11);
  CHECK(calls < count);
}

TEST_CASE("what is thrown need not be a std::exception", "[core][thread_pool]") {
  const miq::host_executor exec({.threads = 3});
  CHECK_THROWS_AS(exec.parallel_for(9, [](std::int64_t) { throw 42; }), int);
}

TEST_CASE("a nested parallel_for runs serially on its thread and completes", "[core][thread_pool]") {
  const int threads = GENERATE(1, 2, 4);
  const miq::host_executor exec({.threads = threads});
  std::vector<std::atomic<int>> counters(7 * 11 * 3);
  std::atomic<int> foreign{0};
  exec.parallel_for(7, [&](std::int64_t i) {
    const auto here = std::this_thread::get_id();
    exec.parallel_for(11, [&](std::int64_t j) {
      exec.parallel_for(3, [&](std::int64_t k) {
        if (std::this_thread::get_id() != here) ++foreign;
        ++counters[static_cast<std::size_t>((i * 11 + j) * 3 + k)];
      });
    });
  });
  CHECK(foreign == 0);
  CHECK(std::vector<int>(counters.begin(), counters.end()) == std::vector<int>(counters.size(), 1));
  CHECK(visits(exec, 100) == std::vector<int>(100, 1));
}

TEST_CASE("an exception passes through a nested parallel_for", "[core][thread_pool]") {
  const miq::host_executor exec({.threads = GENERATE(1, 3)});
  CHECK_THROWS_AS(
      exec.parallel_for(
          4, [&](std::int64_t) { exec.parallel_for(4, [](std::int64_t) { throw std::runtime_error("inner"); }); }),
      std::runtime_error);
  std::atomic<int> caught{0};
  exec.parallel_for(4, [&](std::int64_t) {
    try {
      exec.parallel_for(4, [](std::int64_t) { throw std::runtime_error("inner"); });
    } catch (const std::runtime_error&) {
      ++caught;
    }
  });
  CHECK(caught == 4);
}

TEST_CASE("many small jobs of random sizes", "[core][thread_pool]") {
  miq::random_stream random(miq_test::seed());
  const miq::host_executor exec({.threads = 4});
  std::int64_t expected = 0;
  std::atomic<std::int64_t> sum{0};
  for (int job = 0; job < 5000; ++job) {
    const auto count = static_cast<std::int64_t>(random.below(9));
    expected += count * (count - 1) / 2;
    exec.parallel_for(count, [&](std::int64_t i) { sum += i; });
  }
  CHECK(sum == expected);
}

TEST_CASE("writes of the bodies are visible to the caller, and its writes to them", "[core][thread_pool]") {
  // Plain data handed back and forth between two threads, both of which take part because each waits for the other; the
  // wait itself orders nothing. Under ThreadSanitizer this fails if the pool does not synchronise.
  const miq::host_executor exec({.threads = 2});
  std::vector<std::int64_t> data(2, 0);
  for (int round = 0; round < 500; ++round) {
    for (auto& value : data) ++value;
    std::atomic<int> arrived{0};
    exec.parallel_for(2, [&](std::int64_t i) {
      arrived.fetch_add(1, std::memory_order_relaxed);
      while (arrived.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
      ++data[static_cast<std::size_t>(i)];
    });
  }
  CHECK(data == std::vector<std::int64_t>(2, 1000));
}

TEST_CASE("executors of different threads do not meet", "[core][thread_pool]") {
  std::vector<std::thread> users;
  std::atomic<int> wrong{0};
  for (int user = 0; user < 4; ++user)
    users.emplace_back([&wrong] {
      const miq::host_executor exec({.threads = 3});
      for (int job = 0; job < 200; ++job) {
        std::atomic<int> calls{0};
        exec.parallel_for(10, [&](std::int64_t) { ++calls; });
        if (calls != 10) ++wrong;
      }
    });
  for (auto& user : users) user.join();
  CHECK(wrong == 0);
}

TEST_CASE("an executor moves, its threads with it, and does not copy", "[core][executor]") {
  STATIC_REQUIRE(!std::is_copy_constructible_v<miq::host_executor>);
  STATIC_REQUIRE(!std::is_copy_assignable_v<miq::host_executor>);
  STATIC_REQUIRE(std::is_nothrow_move_constructible_v<miq::host_executor>);
  std::pmr::monotonic_buffer_resource resource;
  miq::host_executor first({.threads = 3, .resource = &resource});
  miq::host_executor second(std::move(first));
  CHECK(second.threads() == 3);
  CHECK(second.resource() == &resource);
  CHECK(visits(second, 100) == std::vector<int>(100, 1));
  miq::host_executor third({.threads = 2});
  third = std::move(second);
  CHECK(third.threads() == 3);
  CHECK(third.resource() == &resource);
  CHECK(visits(third, 100) == std::vector<int>(100, 1));
}

TEST_CASE("a body may be const, mutable, move-only or a function", "[core][thread_pool]") {
  const miq::host_executor exec({.threads = 2});
  std::atomic<int> calls{0};
  const auto constant = [&](std::int64_t) { ++calls; };
  exec.parallel_for(4, constant);
  auto mutable_body = [&calls, unused = std::atomic<int>{0}](std::int64_t) mutable {
    ++unused;
    ++calls;
  };
  exec.parallel_for(4, mutable_body);
  exec.parallel_for(4, [&, owned = std::make_unique<int>(1)](std::int64_t) { calls += *owned; });
  CHECK(calls == 12);
}

TEST_CASE("an executor's options are checked", "[core][executor]") {
  CHECK_THROWS_AS(miq::host_executor({.threads = -1}), miq::invalid_argument);
  CHECK_THROWS_AS(miq::host_executor({.threads = 4097}), miq::invalid_argument);
  CHECK_THROWS_WITH(miq::host_executor({.threads = -3}),
                    miq_test::contains("host_executor") && miq_test::contains("threads") && miq_test::contains("-3"));
  const miq::host_executor by_default;
  CHECK(by_default.threads() >= 1);
  CHECK(by_default.resource() == std::pmr::get_default_resource());
  if (std::thread::hardware_concurrency() > 0)
    CHECK(by_default.threads() == static_cast<int>(std::thread::hardware_concurrency()));
}

TEST_CASE("the executor concept", "[core][executor]") {
  STATIC_REQUIRE(miq::executor<miq::host_executor>);
  STATIC_REQUIRE(!miq::executor<int>);
  STATIC_REQUIRE(std::is_same_v<miq::memory_of<miq::host_executor>, miq::host_memory>);
}

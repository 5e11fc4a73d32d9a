#pragma once

#include <gtest/gtest.h>

#include "fleet/expected.hpp"

namespace ota::test_support {

/// What `outcome` was refused for. One that was not refused fails the test: it has no error(), and what is
/// read there all the same may by chance be the error of an earlier call.
template <class T>
fleet::Error refused(const fleet::Expected<T>& outcome) {
  if (!outcome) return outcome.error();
  ADD_FAILURE() << "it was not refused";
  return {};
}

}  // namespace ota::test_support

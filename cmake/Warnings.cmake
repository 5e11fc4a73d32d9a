# Every target of ours links ota_warnings (PRIVATE); system headers are not ours to mend.
add_library(ota_warnings INTERFACE)
target_compile_options(ota_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Wpedantic)
# GCC 12 warns falsely of overlapping copies in "text" + std::string (GCC bug 105651, mended in 13).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(ota_warnings INTERFACE -Wno-restrict)
endif()
if(OTA_WERROR)
  target_compile_options(ota_warnings INTERFACE -Werror)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

if(OTA_SANITIZE)
  add_compile_options(-fsanitize=${OTA_SANITIZE} -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${OTA_SANITIZE})
  # "-fsanitize ... may result in false positives" of this warning (GCC manual, -Wmaybe-uninitialized).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(ota_warnings INTERFACE -Wno-maybe-uninitialized)
  endif()
endif()

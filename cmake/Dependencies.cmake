# Every library comes from the distribution; cpp-httplib alone may come from Debian 13's source package
# (`./ota setup` unpacks it to third_party/, because Debian 12's version has known holes).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(tl-expected REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(CURL REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(GTest REQUIRED)
find_package(date REQUIRED)  # time zones; GCC 12 and clang 14 have no std::chrono::tzdb
find_package(PahoMqttCpp REQUIRED)
pkg_check_modules(PQXX REQUIRED IMPORTED_TARGET libpqxx)
pkg_check_modules(MOSQUITTO REQUIRED IMPORTED_TARGET libmosquitto)

find_path(MBEDTLS_INCLUDE_DIR mbedtls/sha256.h REQUIRED)
find_library(MBEDTLS_LIBRARY mbedtls REQUIRED)
find_library(MBEDX509_LIBRARY mbedx509 REQUIRED)
find_library(MBEDCRYPTO_LIBRARY mbedcrypto REQUIRED)
add_library(ota_mbedtls INTERFACE)
target_include_directories(ota_mbedtls SYSTEM INTERFACE "${MBEDTLS_INCLUDE_DIR}")
target_link_libraries(ota_mbedtls INTERFACE "${MBEDTLS_LIBRARY}" "${MBEDX509_LIBRARY}" "${MBEDCRYPTO_LIBRARY}")

add_library(ota_httplib INTERFACE)
pkg_check_modules(HTTPLIB QUIET IMPORTED_TARGET cpp-httplib>=0.18.7)
if(HTTPLIB_FOUND)
  target_link_libraries(ota_httplib INTERFACE PkgConfig::HTTPLIB)
else()
  find_path(HTTPLIB_INCLUDE_DIR httplib.h PATHS "${CMAKE_SOURCE_DIR}/third_party/cpp-httplib"
            NO_DEFAULT_PATH REQUIRED)
  target_include_directories(ota_httplib SYSTEM INTERFACE "${HTTPLIB_INCLUDE_DIR}")
endif()
target_link_libraries(ota_httplib INTERFACE Threads::Threads)

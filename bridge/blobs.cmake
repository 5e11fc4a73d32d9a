# The folder of firmware images and the hash behind it: apart from ota_bridge, so that tests can link it alone.
add_library(ota_blobs STATIC
  "${CMAKE_CURRENT_LIST_DIR}/blob_upload.cpp"
  "${CMAKE_CURRENT_LIST_DIR}/file_blobs.cpp"
  "${CMAKE_CURRENT_LIST_DIR}/sha256.cpp"
)
target_link_libraries(ota_blobs PUBLIC ota_fleet PRIVATE ota_mbedtls spdlog::spdlog ota_warnings)

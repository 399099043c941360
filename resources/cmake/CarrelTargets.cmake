# SPDX-License-Identifier: Apache-2.0
# The few helpers that every folder's CMakeLists.txt uses. One library target
# per folder; programs are a main() linked to libraries; tests link libraries
# and never compile product sources again.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The sloppiness is what ccache asks for with precompiled headers; no source uses __TIME__.
  set(launcher "${CMAKE_COMMAND};-E;env;CCACHE_SLOPPINESS=pch_defines,time_macros;${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${launcher}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${launcher}")
endif()
set(CMAKE_PCH_INSTANTIATE_TEMPLATES ON) # clang: each test would instantiate Boost.JSON's and Qt's anew

add_library(carrel_options INTERFACE)
target_compile_options(carrel_options INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wno-sign-conversion -Werror=return-type -Werror=unused-result -fstack-protector-strong
  # GCC 12 and clang disagree about designated initializers that leave the rest defaulted.
  -Wno-missing-field-initializers)
target_compile_definitions(carrel_options INTERFACE _FORTIFY_SOURCE=2)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR NOT CMAKE_BUILD_TYPE)
  # _FORTIFY_SOURCE needs optimisation.
  target_compile_options(carrel_options INTERFACE -U_FORTIFY_SOURCE)
endif()
target_include_directories(carrel_options INTERFACE "${CMAKE_SOURCE_DIR}")
if(CARREL_SANITIZE)
  target_compile_options(carrel_options INTERFACE -U_FORTIFY_SOURCE -fsanitize=${CARREL_SANITIZE}
    -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(carrel_options INTERFACE -fsanitize=${CARREL_SANITIZE})
endif()
if(CARREL_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "CARREL_FUZZ needs clang")
  endif()
  target_compile_options(carrel_options INTERFACE -fsanitize=fuzzer-no-link)
  target_compile_definitions(carrel_options INTERFACE CARREL_FUZZING=1)
endif()

# carrel_precompile(TARGET OWNER HEADER lib …): HEADER is compiled once, by the target OWNER with these libraries, for every TARGET that
# names it; one that cannot use it (other flags) compiles as without.
function(carrel_precompile target owner header)
  if(NOT TARGET ${owner})
    file(WRITE "${CMAKE_BINARY_DIR}/${owner}.cpp" "")
    add_library(${owner} OBJECT "${CMAKE_BINARY_DIR}/${owner}.cpp")
    target_link_libraries(${owner} PRIVATE carrel_options ${ARGN})
    target_compile_options(${owner} PRIVATE -fpch-preprocess)
    target_precompile_headers(${owner} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:${CMAKE_SOURCE_DIR}/${header}>")
  endif()
  target_precompile_headers(${target} REUSE_FROM ${owner})
  target_compile_options(${target} PRIVATE -Wno-invalid-pch)
endfunction()

# carrel_library(NAME SOURCES a.cpp … [LINK lib …])
function(carrel_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC carrel_options ${A_LINK})
  if(NOT "${A_LINK}" MATCHES "Qt6::") # Qt wants position-independent code: other flags than the header's, an error for clang
    carrel_precompile(${name} carrel_precompiled resources/cmake/precompiled.h Boost::json)
  endif()
endfunction()

# Everything that is installed and must be made before: to install or to package a build, its tests need not be built.
add_custom_target(carrel_installed)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)

# carrel_program(NAME SOURCES main.cpp LINK lib … [STATIC] [INSTALL bin|lib/carrel])
# STATIC makes a program without an interpreter, for the guest's initrd. INSTALL says where below the prefix it goes: bin for what
# people start, lib/carrel for what only Carrel starts (app/api/own_programs.h finds both).
function(carrel_program name)
  cmake_parse_arguments(A "STATIC" "INSTALL" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE carrel_options ${A_LINK})
  if(A_STATIC AND NOT CARREL_SANITIZE)
    target_link_options(${name} PRIVATE -static)
  else()
    # All addresses are bound at the start, and their table is read-only from then on.
    target_link_options(${name} PRIVATE -Wl,-z,relro,-z,now)
  endif()
  if(A_INSTALL)
    install(TARGETS ${name} RUNTIME DESTINATION ${A_INSTALL})
    add_dependencies(carrel_installed ${name})
  endif()
endfunction()

# carrel_data(FOLDER SOURCE): the folder SOURCE of the tree is <prefix>/share/carrel/FOLDER, and a build finds it in the same place.
function(carrel_data folder source)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/share/carrel")
  file(CREATE_LINK "${source}" "${CMAKE_BINARY_DIR}/share/carrel/${folder}" SYMBOLIC)
  install(DIRECTORY "${source}/" DESTINATION share/carrel/${folder}
    PATTERN "*.sh" PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endfunction()

# Two hundred tests are linked for each preset: a quick linker, where there is one, saves minutes. What is installed is linked by
# the system's own.
find_program(CARREL_MOLD mold)
function(carrel_link_quickly target)
  if(CARREL_MOLD)
    target_link_options(${target} PRIVATE -fuse-ld=mold)
  endif()
endfunction()

add_library(carrel_test_options INTERFACE)
target_compile_definitions(carrel_test_options INTERFACE BOOST_CONTAINER_NO_LIB BOOST_JSON_NO_LIB) # as Boost's own targets have it
target_compile_options(carrel_test_options INTERFACE -UQT_TESTCASE_BUILDDIR -UQT_TESTCASE_SOURCEDIR) # others for each folder: no header could be shared

# carrel_test(NAME SOURCES test_x.cpp LINK lib … [LABELS unit|live|security|…] [TIMEOUT s] [ENV K=V …])
# One QtTest class, one CTest entry. Sources include "<file>.moc" at their end.
function(carrel_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;LINK;LABELS;ENV" ${ARGN})
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  if(CARREL_SANITIZE)
    math(EXPR A_TIMEOUT "${A_TIMEOUT} * 4") # what is sanitized is slow
  endif()
  if(CARREL_SANITIZE AND NOT "unit" IN_LIST A_LABELS)
    return()
  endif()
  add_executable(${name} ${A_SOURCES})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  # Qt's generator, called by itself: CMake's AUTOMOC would look through every test anew and compile an empty source beside each.
  set(generated "${CMAKE_CURRENT_BINARY_DIR}/${name}_moc")
  file(MAKE_DIRECTORY "${generated}")
  foreach(source IN LISTS A_SOURCES)
    get_filename_component(stem "${source}" NAME_WE)
    get_filename_component(whole "${source}" ABSOLUTE)
    add_custom_command(OUTPUT "${generated}/${stem}.moc" DEPENDS "${whole}" VERBATIM
      COMMAND Qt6::moc --no-notes -o "${generated}/${stem}.moc" "${whole}")
    target_sources(${name} PRIVATE "${generated}/${stem}.moc")
  endforeach()
  target_include_directories(${name} PRIVATE "${generated}")
  target_link_libraries(${name} PRIVATE carrel_options carrel_test_options ${A_LINK} Qt6::Test)
  if("${A_LINK}" MATCHES "carrel_ui") # which has Qt's other definitions
    carrel_precompile(${name} carrel_ui_test_precompiled tests/support/ui_test_precompiled.h carrel_test_options carrel_ui_options Qt6::Test)
  else()
    carrel_precompile(${name} carrel_test_precompiled tests/support/test_precompiled.h carrel_test_options Boost::json Qt6::Test)
  endif()
  carrel_link_quickly(${name})
  target_compile_definitions(${name} PRIVATE CARREL_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
    CARREL_BIN_DIR="${CMAKE_BINARY_DIR}/bin")
  if(CARREL_SANITIZE STREQUAL "thread" AND name IN_LIST CARREL_ONE_THREAD) # tests/one_thread.cmake
    set_target_properties(${name} PROPERTIES EXCLUDE_FROM_ALL TRUE)
    return()
  endif()
  add_test(NAME ${name} COMMAND ${name})
  # The time limit is only a guard against a hang: it never decides how fast is fast enough.
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
  # QtTest has a guard of its own, of five minutes for all functions together: on a busy computer it would decide.
  math(EXPR guard "${A_TIMEOUT} * 1000")
  set_tests_properties(${name} PROPERTIES ENVIRONMENT "QTEST_FUNCTION_TIMEOUT=${guard};${A_ENV}")
  if("live" IN_LIST A_LABELS)
    # Two machines at a time at most, whatever -j says.
    set_tests_properties(${name} PROPERTIES PROCESSORS 1 RESOURCE_LOCK "")
  endif()
endfunction()

# carrel_one_thread(ROOM): begins the CMakeLists.txt of a room's tests where neither has a thread. The thread sanitizer has nothing to find
# there, and its preset ends the file here; tests/architecture holds that there is none.
macro(carrel_one_thread room)
  if(CARREL_SANITIZE STREQUAL "thread")
    return()
  endif()
endmacro()

# carrel_fuzz(NAME SOURCES fuzz_x.cpp LINK lib … [CORPUS dir])
# Built only by the fuzz preset; ctest runs a short smoke of each.
function(carrel_fuzz name)
  cmake_parse_arguments(A "" "CORPUS" "SOURCES;LINK" ${ARGN})
  if(NOT CARREL_FUZZ)
    return()
  endif()
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE carrel_options ${A_LINK})
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  carrel_link_quickly(${name})
  # libFuzzer writes what it finds into the first folder: one in the build, never the seeds in the source tree.
  set(finds "${CMAKE_BINARY_DIR}/fuzz-finds/${name}")
  file(MAKE_DIRECTORY "${finds}")
  add_test(NAME ${name} COMMAND ${name} -max_total_time=10 -rss_limit_mb=2048 -print_final_stats=1
           -artifact_prefix=${finds}/ ${finds} ${A_CORPUS})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 120)
endfunction()

# carrel_bpf_object(NAME SOURCE x.bpf.c): a library which carries the compiled kernel program's ELF object between the symbols
# carrel_bpf_NAME and carrel_bpf_NAME_end (CARREL_BPF_OBJECT in guest/bpf/kernel_programs.h). Compiled by clang, whatever the rest is
# compiled by: gcc 12 cannot write the relocations by which a program fits the running kernel. Only the types stay of its debug data.
function(carrel_bpf_object name source)
  find_program(CARREL_BPF_CLANG clang REQUIRED)
  find_program(CARREL_BPF_STRIP NAMES llvm-strip llvm-strip-14 REQUIRED)
  set(arch x86)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(arch arm64)
  endif()
  get_filename_component(whole "${source}" ABSOLUTE)
  set(object "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.o")
  set(carrier "${CMAKE_CURRENT_BINARY_DIR}/${name}.bpf.S")
  add_custom_command(OUTPUT "${object}" DEPENDS "${whole}" DEPFILE "${object}.d" VERBATIM
    COMMAND "${CARREL_BPF_CLANG}" -target bpf -mcpu=v3 -O2 -g -Wall -Wextra -Wno-unused-parameter -D__TARGET_ARCH_${arch}
            -ffile-prefix-map=${CMAKE_BINARY_DIR}=. -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -fdebug-compilation-dir=.
            -I "${CMAKE_SOURCE_DIR}" -idirafter "/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}"
            -MD -MF "${object}.d" -MT "${object}" -c "${whole}" -o "${object}"
    COMMAND "${CARREL_BPF_STRIP}" -g "${object}")
  file(CONFIGURE OUTPUT "${carrier}" CONTENT "    .section .rodata
    .balign 16
    .globl carrel_bpf_${name}
    .globl carrel_bpf_${name}_end
carrel_bpf_${name}:
    .incbin \"${object}\"
carrel_bpf_${name}_end:
    .section .note.GNU-stack,\"\",%progbits
")
  set_source_files_properties("${carrier}" PROPERTIES OBJECT_DEPENDS "${object}")
  add_library(carrel_bpf_${name} STATIC "${carrier}")
endfunction()

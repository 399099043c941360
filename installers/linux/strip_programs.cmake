# SPDX-License-Identifier: Apache-2.0
# Run by CPack on the folder that it packs. Not CPACK_STRIP_FILES, which leaves the compiler's name in every program.
file(GLOB programs "${CPACK_TEMPORARY_DIRECTORY}/usr/bin/*" "${CPACK_TEMPORARY_DIRECTORY}/usr/lib/carrel/*")
if(NOT programs)
  message(FATAL_ERROR "there are no programs in ${CPACK_TEMPORARY_DIRECTORY}")
endif()
execute_process(COMMAND strip --strip-all --remove-section=.comment --remove-section=.note ${programs} COMMAND_ERROR_IS_FATAL ANY)

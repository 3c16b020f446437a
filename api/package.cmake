# Where the API's program, its settings and its unit go. Component api. MIDST_UNIT_DIR is the agent's.
set(units ${PROJECT_SOURCE_DIR}/systemd)

install(TARGETS midst-api RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT api)
install(FILES ${PROJECT_SOURCE_DIR}/configs/midst-api.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/midst-api COMPONENT api)
install(FILES ${units}/midst-api.service DESTINATION ${MIDST_UNIT_DIR} COMPONENT api)
install(FILES ${units}/midst-api.sysusers RENAME midst-api.conf DESTINATION lib/sysusers.d COMPONENT api)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/man/midst-api.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT api)

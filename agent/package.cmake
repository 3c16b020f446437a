# Where the agent's program, its settings and its units go. Component agent.
set(MIDST_UNIT_DIR lib/systemd/system CACHE STRING "Folder of the systemd units; relative: below the prefix")
set(units ${PROJECT_SOURCE_DIR}/systemd)

install(TARGETS midst-agent RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT agent)
install(FILES ${PROJECT_SOURCE_DIR}/configs/midst-agent.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/midst-agent COMPONENT agent)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/conf.d/redis.toml DESTINATION ${CMAKE_INSTALL_SYSCONFDIR}/midst-agent/conf.d
  COMPONENT agent)
install(FILES ${units}/midst-agent.service ${units}/midst-agent-push.socket ${units}/midst-agent-dogstatsd.socket
  ${units}/midst-agent-dogstatsd-stream.socket ${units}/midst-agent-web.socket DESTINATION ${MIDST_UNIT_DIR} COMPONENT agent)
install(FILES ${units}/midst-agent.sysusers RENAME midst-agent.conf DESTINATION lib/sysusers.d COMPONENT agent)
install(FILES ${units}/midst-agent.tmpfiles RENAME midst-agent.conf DESTINATION lib/tmpfiles.d COMPONENT agent)
install(FILES ${units}/midst-agent.sysctl RENAME 60-midst-agent.conf DESTINATION lib/sysctl.d COMPONENT agent)
install(DIRECTORY ${units}/examples DESTINATION ${CMAKE_INSTALL_DOCDIR}/../midst-agent COMPONENT agent)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/infra/prometheus/rules DESTINATION ${CMAKE_INSTALL_DATADIR}/midst-agent COMPONENT agent
  PATTERN tests EXCLUDE)

# The agent without its pipeline stages, and the program.
kvasir_library(agent
  SRCS config/file_blocks.cpp config/server_block.cpp config/client_blocks.cpp config/scrape_blocks.cpp
       config/field_reader.cpp config/field_printer.cpp config/field_setter.cpp config/reference.cpp config/check_http.cpp config/value_rules.cpp config/flags.cpp config/load.cpp
       discovery/glob.cpp discovery/poller.cpp discovery/target_groups.cpp discovery/file_sd.cpp
       discovery/kubernetes_objects.cpp discovery/kubernetes_services.cpp discovery/kubernetes_access.cpp
       discovery/kubernetes_sd.cpp discovery/docker_containers.cpp
       progress.cpp builtin_metrics.cpp feeder.cpp positions.cpp check_syntax.cpp dry_run.cpp inspect.cpp job_factory.cpp agent.cpp pages.cpp process_metrics.cpp verify.cpp verify_lines.cpp
       client/batch.cpp client/spool.cpp client/http_sender.cpp client/oauth_token.cpp client/pem_file.cpp client/push_client.cpp client/push_client_sending.cpp client/fanout.cpp
       targets/plain_file.cpp targets/compressed_file.cpp targets/decompressor.cpp targets/charset.cpp targets/inotify.cpp
       targets/target_list.cpp targets/rotated_search.cpp targets/file_job.cpp targets/file_job_files.cpp targets/file_job_rotation.cpp
       targets/file_job_copies.cpp targets/copy_check.cpp
       targets/stdin_target.cpp targets/socket.cpp targets/syslog_parser.cpp targets/syslog_target.cpp
       targets/gelf_message.cpp targets/gelf_target.cpp targets/push_target.cpp targets/journal_fields.cpp
       targets/journal_target.cpp targets/docker_stream.cpp targets/docker_target.cpp
  HDRS config/config.h config/fields.h config/blocks.h config/field_reader.h config/field_printer.h config/field_setter.h
       config/reference.h config/check_http.h config/value_rules.h config/flags.h config/load.h
       discovery/glob.h discovery/discovery.h discovery/poller.h discovery/target_groups.h discovery/file_sd.h
       discovery/kubernetes_json.h discovery/kubernetes_objects.h discovery/kubernetes_access.h discovery/kubernetes_sd.h discovery/docker_containers.h
       progress.h builtin_metrics.h feeder.h positions.h check_syntax.h dry_run.h inspect.h job_factory.h agent.h pages.h process_metrics.h verify.h verify_lines.h output.h services.h version.h
       client/batch.h client/spool.h client/http_sender.h client/oauth_token.h client/pem_file.h client/push_client.h client/push_queue.h client/fanout.h
       targets/target.h targets/file_source.h targets/plain_file.h targets/compressed_file.h targets/decompressor.h
       targets/charset.h targets/inotify.h targets/target_list.h targets/rotated_search.h targets/copy_check.h targets/tailed_file.h
       targets/file_job.h targets/stdin_target.h targets/socket.h targets/syslog_parser.h targets/syslog_target.h
       targets/gelf_message.h targets/gelf_target.h targets/push_target.h targets/journal_fields.h
       targets/journal_target.h targets/docker_stream.h targets/docker_target.h
  PUBLIC kvasir_common kvasir_net kvasir_agent_stages
  PRIVATE kvasir_wire fmt::fmt snappy zstd z bz2 ssl crypto simdjson systemd)
kvasir_binary(kvasir-agent SRCS main.cpp PRIVATE kvasir_agent fmt::fmt)
kvasir_test(agent
  SRCS check_syntax_test.cpp config/value_rules_test.cpp inspect_test.cpp feeder_test.cpp process_metrics_test.cpp config/load_test.cpp discovery/glob_test.cpp discovery/kubernetes_objects_test.cpp discovery/docker_containers_test.cpp client/oauth_token_test.cpp positions_test.cpp client/batch_test.cpp client/spool_test.cpp client/push_client_test.cpp
       targets/plain_file_test.cpp targets/syslog_parser_test.cpp targets/messages_test.cpp
  PRIVATE kvasir_agent kvasir_wire fmt::fmt ssl crypto simdjson)
if(TARGET test_agent)
  target_compile_definitions(test_agent PRIVATE KVASIR_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
endif()
kvasir_test(agent_files LABEL fault SRCS targets/file_job_test.cpp PRIVATE kvasir_agent)
foreach(target syslog gelf positions journal_fields agent_config kubernetes docker_api compressed_file)
  kvasir_fuzz(${target} SRCS ${CMAKE_SOURCE_DIR}/tests/fuzz/${target}.cpp PRIVATE kvasir_agent)
endforeach()

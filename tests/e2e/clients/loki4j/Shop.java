import ch.qos.logback.classic.LoggerContext;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/** Logs through loki4j, configured by logback.xml beside it. */
public class Shop {
  public static void main(String[] arguments) {
    Logger logger = LoggerFactory.getLogger("orders");
    for (int i = 0; i < 20; i++) logger.info("line {}", i);
    MDC.put("order_id", "4711");
    logger.error("it broke");
    ((LoggerContext) LoggerFactory.getILoggerFactory()).stop();
  }
}

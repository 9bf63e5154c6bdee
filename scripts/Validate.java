import java.nio.file.*;
import java.util.*;
import java.util.stream.*;
import org.mustangproject.validator.ZUGFeRDValidator;

/** Validates all invoices of a folder in one JVM: most of the time goes into the first. For scripts/validate. */
public class Validate {
  public static void main(String[] args) throws Exception {
    List<Path> files;
    try (Stream<Path> all = Files.list(Path.of(args[0]))) {
      files = all.filter(f -> f.toString().endsWith(".pdf")).sorted().collect(Collectors.toList());
    }
    int refused = 0;
    for (Path file : files) {
      ZUGFeRDValidator validator = new ZUGFeRDValidator();
      String report = validator.validate(file.toString());
      // The word of the whole is "valid" also where a part was not looked at: both must have been.
      if (validator.wasCompletelyValid() && report.contains("isCompliant=true") && report.contains("urn:cen.eu:en16931:2017")) continue;
      refused++;
      System.out.println("validate: " + file.getFileName() + " is refused:\n" + report);
    }
    System.out.println("validate: " + (files.size() - refused) + " of " + files.size() + " invoices are PDF/A-3b and EN 16931");
    if (refused > 0 || files.isEmpty()) System.exit(1);
  }
}

